//! One dispatch: a value until it is awaited.

use std::{
    fmt,
    future::IntoFuture,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;

use super::{
    DispatchError,
    sending::{Sending, common_setters},
};
use crate::{
    dependency::OptionValue,
    protocol::{Name, Value, context_data},
};

/// A dispatch of an event, not yet sent. Await it for the broker's confirm.
///
/// The event is encoded and has its message id already, so it borrows nothing: it may be spawned, and a clone of it is the same event. It
/// takes along the context of the worker that made it, wherever it is awaited.
///
/// It may take [`timeout`](Self::timeout), else the setting `dispatch_timeout` (30 s), and no longer than what is left of the worker's own
/// deadline. While the broker is away it waits that long.
///
/// # Delivery
///
/// `Ok` means that every queue that is bound for the event has it. Where the connection is lost before the broker has said so, the
/// event is published again, so it may arrive twice, under the same message id: handlers that are `idempotent` do not see the second one.
///
/// # Cancel safety
///
/// Dropped while it is awaited, the event was dispatched or not.
///
/// # Examples
///
/// ```
/// use kinoko::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[event(source = "orders", name = "order_placed")]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPlaced {
///     order: u64,
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let events = EventDispatcher::connect("memory://").await?;
/// let dispatched = events.dispatch(&OrderPlaced { order: 7 }).await?;
/// assert!(!dispatched.routed, "nobody listens here");
///
/// events.dispatch(&OrderPlaced { order: 7 }).after("5m").header("reminder", true).await?;
///
/// let again = events.dispatch(&OrderPlaced { order: 8 });
/// assert_eq!(again.clone().await?.message_id, again.await?.message_id);
/// # events.close().await; Ok(()) }
/// ```
#[must_use = "an event is not dispatched until this is awaited"]
#[derive(Clone)]
pub struct Dispatch {
    pub(super) sending: Sending,
    pub(super) source: Name,
    pub(super) required: bool,
}

/// What the broker confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dispatched {
    /// Whether any queue has the event. `false`: nobody listens, so nobody will ever see it.
    ///
    /// A delayed event counts as routed: the broker keeps it, and who listens shows only when the delay is over.
    pub routed: bool,
    /// What identifies the event: the same in every copy of it.
    pub message_id: Name,
}

impl Dispatch {
    /// Sends the event to its listeners after this time, a [`Duration`] or a text such as `5m`, at most
    /// [`MAX_DELAY`](crate::transport::MAX_DELAY). The broker keeps it until then, whatever becomes of this program. Who listens shows only then:
    /// nobody is told where nobody does, not even of a required event.
    pub fn after(mut self, delay: impl OptionValue<Duration>) -> Self {
        self.sending.after(delay);
        self
    }

    /// That nobody listens is an error, as it is for types with `#[event(required)]`.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Refuses an event without a name.
    pub(super) fn check(&self) -> Result<(), DispatchError> {
        if self.source.is_empty() || self.sending.message().is_some_and(|message| message.routing_key.is_empty()) {
            let text = "an event has a source and a name, and one of them is empty";
            return Err(DispatchError::Invalid(text.to_owned()));
        }
        Ok(())
    }
}

common_setters!(Dispatch);

impl IntoFuture for Dispatch {
    type Output = Result<Dispatched, DispatchError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.check()?;
            let Self { sending, source, required } = self;
            let sender = sending.sender.clone();
            let exchange: Arc<_> = sender.events_of(&source);
            let (message, published) = sending.send(Some(exchange)).await?;
            let event = message.routing_key;
            if !published.routed {
                sender.unrouted.add(&source, &event, required);
                if required {
                    return Err(DispatchError::NoListener { source: source.to_string(), event: event.to_string() });
                }
            }
            let message_id = message.properties.message_id.unwrap_or_default();
            Ok(Dispatched { routed: published.routed, message_id })
        })
    }
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No payload: it may hold secrets.
        let event = self.sending.message().map(|message| &message.routing_key);
        f.debug_struct("Dispatch").field("source", &self.source).field("event", &event).finish_non_exhaustive()
    }
}
