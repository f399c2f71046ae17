//! What other services are told of a saga.

use serde::{Deserialize, Serialize};

use super::{FailureReason, Instance, SagaState};
use crate::event::{DispatchError, EventDispatcher};

/// A saga was started.
pub(super) const STARTED: &str = "saga_started";

/// The event of a state that a saga comes to rest in.
pub(super) fn name(state: SagaState) -> Option<&'static str> {
    match state {
        SagaState::Completed => Some("saga_completed"),
        SagaState::Compensated => Some("saga_compensated"),
        SagaState::Parked => Some("saga_parked"),
        SagaState::Running | SagaState::Compensating => None,
    }
}

/// What the events `saga_started`, `saga_completed`, `saga_compensated` and `saga_parked` of a service carry.
///
/// A `Saga` field dispatches them with `#[dependency(events = true)]`, from the service that has it, once at least: what is handled twice
/// is told by [`id`](Self::id) and the event's name.
///
/// ```
/// use kinoko::{prelude::*, saga::SagaEvent};
///
/// #[derive(Dependencies)]
/// struct Alarms;
///
/// #[service(name = "alarms")]
/// impl Alarms {
///     #[event_handler(source = "orders", event = "saga_parked")]
///     async fn on_parked(&self, event: SagaEvent) {
///         println!("{} {} needs somebody: {}", event.saga, event.id, event.reason.unwrap_or_default());
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SagaEvent {
    /// The saga's name.
    pub saga: String,
    /// Its business id.
    pub id: String,
    /// The step that failed, or that it is parked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What made it go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReason>,
    /// Why it is compensated or parked, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl SagaEvent {
    fn of(instance: &Instance) -> Self {
        let progress = &instance.progress;
        let failure = progress.failure.as_ref();
        let (step, reason) = match &progress.parked {
            Some(parked) => (parked.step.clone(), Some(parked.reason.clone())),
            None => {
                (failure.and_then(|failure| failure.step.clone()), failure.map(|failure| failure.fault.to_string()))
            }
        };
        Self {
            saga: instance.id.saga.clone(),
            id: instance.id.id.clone(),
            step,
            failure: failure.map(|failure| failure.reason),
            reason,
        }
    }
}

#[derive(Clone)]
pub(crate) struct SagaEvents {
    dispatcher: EventDispatcher,
    source: &'static str,
}

impl SagaEvents {
    pub(super) fn new(dispatcher: EventDispatcher, source: &'static str) -> Self {
        Self { dispatcher, source }
    }

    pub(super) async fn send(&self, name: &str, instance: &Instance) -> Result<(), DispatchError> {
        let event = SagaEvent::of(instance);
        self.dispatcher.dispatch_to(self.source, name.to_owned(), &event).await.map(|_| ())
    }
}
