//! `ordered_by`: the deliveries of one key are worked one after the other, in the order in which they came; those of different keys at once.
//!
//! Across instances the queue sees to it: its broker delivers to one consumer at a time. What failed is tried again in place, since what comes
//! back by the broker comes behind its key's later deliveries. So the count of its attempts is this process's, and begins anew in the next.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{
    Lane,
    policy::{self, Next},
    received::Received,
    settle::Ending,
};
use crate::{
    codec::Codecs,
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
    /// What came when nothing was begun any more: kept, since what is given back now would come again at once.
    held: Option<Vec<Received>>,
}

impl Keys {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the delivery back where it is its key's turn; else it waits.
    fn arrive(&self, key: Option<Value>, received: Received) -> Option<Received> {
        let State { waiting, held } = &mut *self.state();
        if let Some(held) = held {
            held.push(received);
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

    /// The next delivery of a key.
    fn next(&self, key: &Option<Value>) -> Option<Received> {
        let mut state = self.state();
        let next = state.waiting.get_mut(key).and_then(VecDeque::pop_front);
        if next.is_none() {
            state.waiting.remove(key);
            if state.waiting.is_empty() {
                self.idle.notify_waiters();
            }
        }
        next
    }

    /// Begins nothing more, and returns when what runs is over.
    pub(super) async fn finish(&self) {
        {
            let State { waiting, held } = &mut *self.state();
            held.get_or_insert_default().extend(waiting.values_mut().flat_map(std::mem::take));
        }
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
        let dropped: Vec<_> = {
            let State { waiting, held } = &mut *self.state();
            let waiting = waiting.values_mut().flat_map(std::mem::take);
            waiting.chain(held.iter_mut().flat_map(std::mem::take)).collect()
        };
        drop(dropped);
    }
}

impl Lane {
    /// Works a delivery when it is its key's turn.
    pub(super) fn arrive_in_order(self: Arc<Self>, received: Received, field: &str) {
        let key = key(&received.message, field, &self.shared.codecs);
        let Some(mut received) = self.keys.arrive(key.clone(), received) else { return };
        let lane = self.clone();
        self.shared.tasks.spawn(async move {
            loop {
                lane.clone().serve_in_place(received).await;
                match lane.keys.next(&key) {
                    Some(next) => received = next,
                    None => return,
                }
            }
        });
    }

    /// One delivery, from its first attempt to its acknowledgement.
    async fn serve_in_place(self: Arc<Self>, received: Received) {
        let Some(mut received) = self.claim(received).await else { return };
        loop {
            let Some((again, ending)) = self.attempt(received).await else { return };
            received = again;
            let failed = match &ending {
                Ending::Failed(verdict) => {
                    let next = policy::next(&self.handler.handling.retry, received.attempt, verdict);
                    if let Next::Attempt(delay) = next { Some((delay, excerpt(verdict.fault()))) } else { None }
                }
                _ => None,
            };
            let Some((delay, error)) = failed else { return self.settle(received, ending).await };
            let (service, method, queue) = (self.shared.service_name, self.handler.method, &*self.queue);
            let attempt = received.attempt;
            tracing::warn!(
                service,
                method,
                queue,
                attempt,
                ?delay,
                error,
                "message failed, it is tried again in place"
            );
            received.failed_in_place();
            tokio::select! {
                biased;
                () = received.connection.cancelled() => return,
                () = self.shared.limits.stopping() => return,
                () = tokio::time::sleep(delay) => {}
            }
        }
    }
}

/// The value of the field that keeps deliveries in order. What has none, or cannot be read, has one key in common.
fn key(message: &Message, field: &str, codecs: &Codecs) -> Option<Value> {
    let format = codecs.of(&message.properties)?;
    value_at(&format, &message.body, field)
}
