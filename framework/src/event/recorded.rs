//! What a test's dispatcher or publisher was given to send.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{Event, EventName};
use crate::{
    Error, ErrorKind, Result,
    codec::Format,
    protocol::{Message, names},
    transport::Published,
};

/// What was sent through the dispatcher or publisher that it was made with: [`EventDispatcher::recording`](super::EventDispatcher::recording),
/// [`Publisher::recording`](super::Publisher::recording). Cheap to clone.
#[derive(Clone, Default)]
pub struct Recorded(Arc<Inner>);

#[derive(Default)]
struct Inner {
    sent: Mutex<Vec<Sent>>,
    unheard: AtomicBool,
}

/// One message that was sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sent {
    /// The message as the broker would have got it.
    pub message: Message,
    /// How long the broker was to keep it.
    pub delay: Duration,
}

impl Recorded {
    /// The events of this type, in the order in which they were dispatched, decoded as a handler would.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`] where an event of this name cannot be read as an `E`.
    pub fn events<E: Event>(&self) -> Result<Vec<E>> {
        let EventName { source, name } = E::EVENT;
        let exchange = names::event_exchange(source);
        let of_type = |sent: &&Sent| sent.message.exchange == exchange && sent.message.routing_key == name;
        let decode = |sent: &Sent| {
            Format::Json.decode::<E>(&sent.message.body).map_err(|error| {
                Error::new(ErrorKind::Codec, format!("event `{name}` of `{source}` cannot be read: {error}"))
            })
        };
        self.sent().iter().filter(of_type).map(decode).collect()
    }

    /// Everything that was sent, in order.
    pub fn all(&self) -> Vec<Sent> {
        self.sent().clone()
    }

    /// From now on nobody listens: what is sent leads nowhere.
    pub fn nobody_listens(&self) {
        self.0.unheard.store(true, Ordering::Relaxed);
    }

    pub(super) fn keep(&self, message: &Message, due: Option<Instant>) -> Published {
        let delay = due.map(|due| due.saturating_duration_since(Instant::now())).unwrap_or_default();
        self.sent().push(Sent { message: message.clone(), delay });
        Published { routed: !delay.is_zero() || !self.0.unheard.load(Ordering::Relaxed) }
    }

    fn sent(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.0.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("sent", &self.sent().len()).finish()
    }
}
