use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tracing::debug;

use super::broker::{Broker, Unpublished};
use crate::protocol::Message;

/// How long a message stays that is refused by a full queue when its time has come.
const ANOTHER_WHILE: Duration = Duration::from_secs(1);

/// Messages that wait for their time, and the one task that publishes them then.
#[derive(Default)]
pub(super) struct Delayed {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    /// By their time, and of one time by their turn.
    messages: BTreeMap<(Instant, u64), Message>,
    turn: u64,
    /// Runs while messages wait; gone with the runtime that it was begun on.
    task: Option<JoinHandle<()>>,
}

impl Delayed {
    /// Keeps a message for so long. Must run in a runtime.
    #[allow(
        clippy::disallowed_methods,
        reason = "a broker has no owner whose tasks it could join: this one ends with its messages"
    )]
    pub(super) fn keep(self: &Arc<Self>, broker: &Arc<Broker>, message: Message, delay: Duration) {
        let mut waiting = self.waiting();
        waiting.insert(message, delay);
        if waiting.task.as_ref().is_none_or(JoinHandle::is_finished) {
            waiting.task = Some(tokio::spawn(publish_in_time(self.clone(), Arc::downgrade(broker))));
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// The broker is gone, and what waits with it.
    pub(super) fn end(&self) {
        self.waiting().messages.clear();
        self.changed.notify_one();
    }

    /// What is due, and when to look again.
    fn take_due(&self) -> (Vec<Message>, Option<Instant>) {
        let mut waiting = self.waiting();
        let later = waiting.messages.split_off(&(Instant::now(), u64::MAX));
        let due = std::mem::replace(&mut waiting.messages, later).into_values().collect();
        let next = waiting.messages.keys().next().map(|(at, _)| *at);
        (due, next)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn insert(&mut self, message: Message, delay: Duration) {
        self.turn += 1;
        self.messages.insert((Instant::now() + delay, self.turn), message);
    }
}

/// Holds no broker, which would live for ever.
async fn publish_in_time(delayed: Arc<Delayed>, broker: Weak<Broker>) {
    loop {
        let (due, next) = delayed.take_due();
        if !due.is_empty() {
            let Some(broker) = broker.upgrade() else { return };
            for message in due {
                match broker.publish(message) {
                    Ok(()) => {}
                    Err(Unpublished::Unroutable(message) | Unpublished::NoExchange(message)) => {
                        debug!(?message, "a message leads nowhere by the end of its delay");
                    }
                    Err(Unpublished::Rejected(message)) => {
                        delayed.waiting().insert(Arc::unwrap_or_clone(message), ANOTHER_WHILE);
                    }
                }
            }
            continue;
        }
        match next {
            Some(at) => tokio::select! {
                () = sleep_until(at) => {}
                () = delayed.changed.notified() => {}
            },
            None => {
                let mut waiting = delayed.waiting();
                if waiting.messages.is_empty() {
                    waiting.task = None;
                    return;
                }
            }
        }
    }
}
