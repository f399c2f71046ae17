//! The sagas of one definition, looked at and told things: what `Saga` and operations pages share.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{
    Instance, SagaFilter, SagaState, TimelineEntry,
    asking::{self, Ask},
    definition::{Misfit, SagaInfo},
    engine::Engine,
    error::SagaRefusal,
};
use crate::{Result, protocol::Value};

/// The sagas of one definition that a service of this process hosts, whatever the types of their input and output.
///
/// [`Saga`](super::Saga) has all of this too. Cheap to clone.
#[derive(Clone)]
pub struct HostedSaga(pub(super) Arc<Engine>);

/// One saga, with what happened to it.
#[derive(Debug, Clone, Serialize)]
pub struct SagaStatus {
    /// How it stands.
    #[serde(flatten)]
    pub instance: Instance,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
}

impl HostedSaga {
    /// What the saga consists of.
    pub fn info(&self) -> &'static SagaInfo {
        self.0.steps.info()
    }

    /// The service that hosts it.
    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// Those of its sagas that a filter lets through, whichever process runs them, the last started first. The filter's saga and service
    /// are these.
    ///
    /// # Errors
    ///
    /// When the log fails.
    pub async fn list(&self, filter: SagaFilter) -> Result<Vec<Instance>> {
        let (saga, service) = (Some(self.info().name.to_owned()), Some(self.0.service.to_owned()));
        self.0.log.list(&SagaFilter { saga, service, ..filter }).await
    }

    /// Those that stand until somebody retries them, 100 at most.
    ///
    /// # Errors
    ///
    /// When the log fails.
    pub async fn parked(&self) -> Result<Vec<Instance>> {
        self.list(SagaFilter::state(SagaState::Parked)).await
    }

    /// One saga with its timeline; `None`: there is none of this id.
    ///
    /// # Errors
    ///
    /// When the log fails.
    pub async fn status(&self, id: &str) -> Result<Option<SagaStatus>> {
        asking::status(&*self.0.log, &self.0.id(id)).await
    }

    /// Sends a signal, which a step that waits for it takes: now, or when it comes to it. It is kept in the log until then.
    ///
    /// # Errors
    ///
    /// When there is no such saga, or it is over; when no step waits for such a signal, or cannot read what it carries; when the log
    /// fails.
    pub async fn signal(&self, id: &str, signal: &str, payload: impl Serialize) -> Result<(), SagaRefusal> {
        let refused = |why: String| SagaRefusal::BadSignal { signal: signal.to_owned(), why };
        let payload = serde_json::to_value(payload).map_err(|error| refused(error.to_string()))?;
        let mut waiting = self.info().waiting_for(signal).peekable();
        if waiting.peek().is_none() {
            let known: Vec<_> =
                self.info().steps.iter().filter_map(|step| Some(format!("`{}`", step.wait?.signal))).collect();
            let known = match known.is_empty() {
                true => "its steps wait for none".to_owned(),
                false => format!("its steps wait for {}", known.join(", ")),
            };
            return Err(SagaRefusal::UnknownSignal { signal: signal.to_owned(), known });
        }
        for step in waiting {
            self.0.steps.read_signal(step, &payload).map_err(|Misfit(why)| refused(why))?;
        }
        let instance = self.find(id).await?;
        if instance.state.is_over() {
            return Err(SagaRefusal::Over { id: id.to_owned(), state: instance.state });
        }
        self.send(id, signal, payload).await
    }

    /// Asks for a saga to go back. It does so when it is known whether the step that runs happened, and not at all where its pivot is
    /// done by then: its timeline tells.
    ///
    /// # Errors
    ///
    /// When there is no such saga, or it is over; when the log fails.
    pub async fn cancel(&self, id: &str) -> Result<(), SagaRefusal> {
        self.ask(id, Ask::Cancel).await
    }

    /// Tries again what a saga is parked at, with all its attempts.
    ///
    /// # Errors
    ///
    /// When there is no such saga, or it is not parked; when the log fails.
    pub async fn retry(&self, id: &str) -> Result<(), SagaRefusal> {
        self.ask(id, Ask::Retry).await
    }

    /// Leaves out the compensation that a saga is parked at, since somebody did by hand what it would do: the saga goes on with the one
    /// before it.
    ///
    /// # Errors
    ///
    /// When there is no such saga, or it is not parked at a compensation; when the log fails.
    pub async fn skip(&self, id: &str) -> Result<(), SagaRefusal> {
        self.ask(id, Ask::Skip).await
    }

    async fn find(&self, id: &str) -> Result<Instance, SagaRefusal> {
        asking::find(&*self.0.log, &self.0.id(id)).await
    }

    async fn ask(&self, id: &str, ask: Ask) -> Result<(), SagaRefusal> {
        ask.check(&self.find(id).await?)?;
        self.send(id, ask.signal(), Value::Null).await
    }

    pub(super) async fn send(&self, id: &str, signal: &str, payload: Value) -> Result<(), SagaRefusal> {
        asking::sent(id, self.0.signal(id, signal, payload).await)
    }
}

impl fmt::Debug for HostedSaga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostedSaga").field(&self.0).finish()
    }
}
