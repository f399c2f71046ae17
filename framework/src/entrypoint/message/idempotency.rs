//! `idempotent(store = "process")`: a message that was handled is not handled again, as far as this process knows.
//!
//! What a database remembers, `sql/inbox` does.
//! What was handled is remembered by its message id, which an event keeps through retries, redeliveries and a dispatch that is repeated.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{Lane, received::Received};
use crate::{
    protocol::Name,
    service::{IdempotencyInfo, IdempotencyStore},
};

/// How many handled messages one handler remembers; what comes beyond goes before its time, the oldest first.
const MOST_REMEMBERED: usize = 100_000;

/// What one handler has handled, as far as this process knows.
pub(super) struct Handled {
    window: Duration,
    state: Mutex<State>,
    ended: Notify,
    warned: AtomicBool,
}

#[derive(Default)]
struct State {
    /// `None`: a worker is at it.
    messages: HashMap<Name, Option<Instant>>,
    /// The handled ones, the oldest first.
    order: VecDeque<(Name, Instant)>,
}

/// What is known of a message.
enum Known {
    Nothing,
    InFlight,
    Handled,
}

/// A message that this worker alone is at. Dropped, another one may begin it.
pub(super) struct Claim {
    handled: Arc<Handled>,
    id: Name,
}

impl Handled {
    /// `window` is for those that do not say. `None`: it is remembered elsewhere, or not at all.
    pub(super) fn new(info: Option<IdempotencyInfo>, window: Duration) -> Option<Arc<Self>> {
        let info = info.filter(|info| info.store == IdempotencyStore::Process)?;
        let (state, ended, warned) = (Mutex::default(), Notify::new(), AtomicBool::new(false));
        Some(Arc::new(Self { window: info.window.unwrap_or(window), state, ended, warned }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a message that nobody knows.
    fn begin(&self, id: &Name) -> Known {
        let mut state = self.state();
        state.forget(self.window);
        match state.messages.get(id) {
            None => {
                state.messages.insert(id.clone(), None);
                Known::Nothing
            }
            Some(None) => Known::InFlight,
            Some(Some(_)) => Known::Handled,
        }
    }
}

impl State {
    fn forget(&mut self, window: Duration) {
        let now = Instant::now();
        while let Some((id, at)) = self.order.front()
            && (self.order.len() > MOST_REMEMBERED || now.saturating_duration_since(*at) >= window)
        {
            self.messages.remove(id);
            self.order.pop_front();
        }
    }
}

impl Claim {
    /// The message is done with: whoever brings it again brings it for nothing.
    pub(super) fn handled(self) {
        let now = Instant::now();
        let mut state = self.handled.state();
        state.messages.insert(self.id.clone(), Some(now));
        state.order.push_back((self.id.clone(), now));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.handled.state();
        if let Some(None) = state.messages.get(&self.id) {
            state.messages.remove(&self.id);
        }
        drop(state);
        self.handled.ended.notify_waiters();
    }
}

impl Lane {
    /// Claims a message for its worker. `None`: it was handled before and is acknowledged, or its connection is lost.
    ///
    /// While another worker is at the same message, it waits: that one may fail.
    pub(super) async fn claim(&self, mut received: Received) -> Option<Received> {
        let Some((handled, id)) = self.identify(&received) else { return Some(received) };
        loop {
            let mut ended = std::pin::pin!(handled.ended.notified());
            ended.as_mut().enable();
            match handled.begin(&id) {
                Known::Nothing => {
                    received.claim = Some(Claim { handled: handled.clone(), id });
                    return Some(received);
                }
                Known::Handled => {
                    self.drop_handled(received);
                    return None;
                }
                Known::InFlight => tokio::select! {
                    biased;
                    () = received.connection.cancelled() => return None,
                    () = self.shared.limits.stopping() => return None,
                    () = ended => {}
                },
            }
        }
    }

    /// Claims the messages of a batch: those of its worker, and those that another worker is at.
    pub(super) fn claim_batch(&self, batch: Vec<Received>) -> (Vec<Received>, Vec<Received>) {
        let (mut claimed, mut in_flight) = (Vec::new(), Vec::new());
        for mut received in batch {
            let Some((handled, id)) = self.identify(&received) else {
                claimed.push(received);
                continue;
            };
            match handled.begin(&id) {
                Known::Nothing => {
                    received.claim = Some(Claim { handled: handled.clone(), id });
                    claimed.push(received);
                }
                Known::Handled => self.drop_handled(received),
                Known::InFlight => in_flight.push(received),
            }
        }
        (claimed, in_flight)
    }

    /// What a message is remembered by, where its handler remembers any.
    fn identify(&self, received: &Received) -> Option<(&Arc<Handled>, Name)> {
        let handled = self.handler.handled.as_ref()?;
        // An empty one tells nothing apart.
        let id = received.message.properties.message_id.clone().filter(|id| !id.is_empty());
        if id.is_none() && !handled.warned.swap(true, Ordering::Relaxed) {
            let (service, method, queue) = (self.shared.service_name, self.handler.method, &*self.queue);
            tracing::warn!(service, method, queue, "a message without message id is handled as often as it comes");
        }
        Some((handled, id?))
    }

    fn drop_handled(&self, received: Received) {
        let (service, method, queue) = (self.shared.service_name, self.handler.method, &*self.queue);
        let message_id = received.message.properties.message_id.as_deref();
        tracing::debug!(service, method, queue, message_id, "a message was handled before, it is dropped");
        received.delivery.ack();
    }
}
