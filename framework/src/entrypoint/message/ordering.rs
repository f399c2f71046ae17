//! `ordered_by`: the deliveries of one key are worked one after the other, in the order in which they came; those of different keys at once.
//!
//! Across instances the queue sees to it: its broker delivers to one consumer at a time, and what that one gave back at once comes again in its
//! old order, before all else. So nothing here is handed back by itself. What failed is tried again in place; how often it was, [`recall`](super::recall)
//! knows for this process, and the broker's count of deliveries bounds what follows the death of one.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    Lane,
    alone::SUSPECT,
    policy::{self, Next},
    received::Received,
    settle::Ending,
};
use crate::{
    codec::Codecs,
    event::Verdict,
    protocol::{Message, Value, excerpt, value_at},
};

/// The deliveries of a lane by key.
#[derive(Default)]
pub(super) struct Keys {
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Default)]
struct State {
    /// What waits for an earlier one of its key. A key is there while one of its deliveries is worked.
    waiting: HashMap<Option<Value>, VecDeque<Received>>,
    /// Nothing is begun any more; what comes stays unsettled, and goes back with all else.
    closed: bool,
}

impl Keys {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the delivery back where it is its key's turn; else it waits.
    fn arrive(&self, key: Option<Value>, received: Received) -> Option<Received> {
        let State { waiting, closed } = &mut *self.state();
        if *closed {
            return None;
        }
        match waiting.entry(key) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push_back(received);
                None
            }
            Entry::Vacant(place) => {
                place.insert(VecDeque::new());
                Some(received)
            }
        }
    }

    /// The next delivery of a key, if its connection still lives.
    fn next(&self, key: &Option<Value>) -> Option<Received> {
        let mut state = self.state();
        while let Some(next) = state.waiting.get_mut(key).and_then(VecDeque::pop_front) {
            if !next.connection.is_cancelled() {
                return Some(next);
            }
        }
        state.waiting.remove(key);
        if state.waiting.is_empty() {
            self.idle.notify_waiters();
        }
        None
    }

    /// Begins nothing more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.drop_waiting();
    }

    /// Returns when what runs is over.
    pub(super) async fn finished(&self) {
        loop {
            let mut idle = pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.state().waiting.is_empty() {
                return;
            }
            idle.await;
        }
    }

    /// What was not begun belongs to somebody else.
    pub(super) fn drop_waiting(&self) {
        let dropped: Vec<_> = self.state().waiting.values_mut().flat_map(std::mem::take).collect();
        drop(dropped);
    }
}

impl Lane {
    /// Works a delivery when it is its key's turn.
    pub(super) fn arrive_in_order(self: Arc<Self>, received: Received, field: &str) {
        self.recall.arrived(&received);
        let key = key(&received.message, field, &self.shared.codecs);
        let Some(mut received) = self.keys.arrive(key.clone(), received) else { return };
        let lane = self.clone();
        self.shared.tasks.spawn(async move {
            loop {
                let connection = received.connection.clone();
                let settled = lane.serve_in_place(received).await;
                // It comes again, and nothing may come before it: neither of its key, nor, should it be last here, what its key is given then.
                if !settled && !connection.is_cancelled() {
                    lane.keys.close();
                }
                match lane.keys.next(&key) {
                    Some(next) => received = next,
                    None => return,
                }
            }
        });
    }

    /// One delivery, from its first attempt to its acknowledgement. `false`: it came to none, since its connection is lost or the container stops.
    async fn serve_in_place(&self, received: Received) -> bool {
        let Some(mut received) = self.claim(received).await else { return !self.shared.limits.is_stopping() };
        let mut note = self.recall.of(&received);
        received.resume(&note);
        if let Some(verdict) = note.verdict {
            // It was not told to the broker in time.
            return self.settle_in_place(received, Ending::Failed(verdict)).await;
        }
        loop {
            if let Some(due) = note.due {
                tokio::select! {
                    biased;
                    () = received.connection.cancelled() => return false,
                    () = self.shared.limits.stopping() => return false,
                    () = tokio::time::sleep_until(due) => {}
                }
            }
            let attempted = if note.deliveries < SUSPECT {
                self.attempt_beside_others(received).await
            } else {
                // Rare, so it takes no room in the future of every message.
                Box::pin(self.attempt_alone(received)).await
            };
            let Some((again, ending)) = attempted else { return false };
            received = again;
            // This process has outlived it.
            if note.deliveries > 0 {
                note.deliveries = 0;
                self.recall.set(&received, note.clone());
            }
            let verdict = match ending {
                Ending::Failed(verdict) => verdict,
                ending => return self.settle_in_place(received, ending).await,
            };
            let Next::Attempt(delay) = policy::next(&self.handler.handling.retry, received.attempt, &verdict) else {
                self.recall.set(&received, note.last(&verdict));
                return self.settle_in_place(received, Ending::Failed(verdict)).await;
            };
            self.log_failure(&received, delay, &verdict);
            note = received.failed_in_place(delay);
            self.recall.set(&received, note.clone());
        }
    }

    async fn settle_in_place(&self, received: Received, ending: Ending) -> bool {
        let settled = !matches!(ending, Ending::Dropped(_));
        self.settle(received, ending).await;
        settled
    }

    fn log_failure(&self, received: &Received, delay: Duration, verdict: &Verdict) {
        let (service, method, queue) = (self.shared.service_name, self.handler.method, &*self.queue);
        let (attempt, error) = (received.attempt, excerpt(verdict.fault()));
        tracing::warn!(service, method, queue, attempt, ?delay, error, "message failed, it is tried again in place");
    }

    async fn attempt_beside_others(&self, received: Received) -> Option<(Received, Ending)> {
        let _turn = tokio::select! {
            biased;
            () = received.connection.cancelled() => return None,
            () = self.shared.limits.stopping() => return None,
            turn = self.turn.read() => turn,
        };
        self.attempt(received).await
    }
}

/// The value of the field that keeps deliveries in order. What has none, or cannot be read, has one key in common.
fn key(message: &Message, field: &str, codecs: &Codecs) -> Option<Value> {
    let format = codecs.of(&message.properties)?;
    value_at(&format, &message.body, field)
}
