use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use tokio::time::Instant;

use super::{consumer::MemoryConsumer, rules::Rules};
use crate::{
    protocol::{Message, Name},
    transport::{Queue, QueueStatus, ReplySink},
};

/// One queue: what waits, and who takes it.
pub(super) struct MemoryQueue {
    pub(super) declared: Queue,
    rules: Rules,
    /// The connection that an exclusive queue belongs to.
    owner: Option<Connection>,
    /// Beside the state, so that a reply takes no lock of its queue.
    replies: OnceLock<Arc<dyn ReplySink>>,
    state: Mutex<State>,
}

/// What tells one connection to a broker from another.
pub(super) type Connection = uuid::Uuid;

/// Why a queue did not take a message.
pub(super) enum Refusal {
    /// It is gone.
    Gone(Arc<Message>),
    /// It has no room, and refuses what comes then.
    Full(Arc<Message>),
}

#[derive(Default)]
struct State {
    /// The highest priority first, and of one priority the oldest.
    ready: VecDeque<Waiting>,
    consumers: Vec<Arc<MemoryConsumer>>,
    /// Where the next delivery is offered first, so that consumers take turns.
    turn: usize,
    /// Since when nobody has consumed; for `expires`.
    idle_since: Option<Instant>,
    deleted: bool,
    /// Somebody hands out what is ready.
    dispatching: bool,
}

/// A queue whose messages are being handed out, by somebody whom a sink may throw out of it.
struct Dispatching<'a>(Option<&'a MemoryQueue>);

impl Drop for Dispatching<'_> {
    fn drop(&mut self) {
        if let Some(queue) = self.0 {
            queue.state().dispatching = false;
        }
    }
}

/// A message in a queue, or on its way from it: one that comes back expires when it would have.
#[derive(Clone)]
pub(super) struct Waiting {
    message: Arc<Message>,
    expires: Option<Instant>,
    priority: u8,
    redelivered: bool,
}

impl Waiting {
    fn new(message: Arc<Message>, rules: &Rules) -> Self {
        let lives = message.properties.expiration.into_iter().chain(rules.message_ttl).min();
        let expires = lives.and_then(|after| Instant::now().checked_add(after));
        let priority = message.properties.priority.unwrap_or(0).min(rules.max_priority);
        Self { message, expires, priority, redelivered: false }
    }

    fn expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

impl MemoryQueue {
    pub(super) fn new(declared: Queue, connection: Connection) -> Self {
        let state = State { idle_since: Some(Instant::now()), ..State::default() };
        let (rules, owner) = (Rules::of(&declared), declared.exclusive.then_some(connection));
        Self { declared, rules, owner, replies: OnceLock::new(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self) -> &Name {
        &self.declared.name
    }

    /// Whether it is another connection's alone.
    pub(super) fn is_closed_to(&self, connection: Connection) -> bool {
        self.owner.is_some_and(|owner| owner != connection)
    }

    pub(super) fn is_owned_by(&self, connection: Connection) -> bool {
        self.owner == Some(connection)
    }

    /// The one consumer of a reply queue: takes everything and settles nothing.
    pub(super) fn replies(&self) -> Option<&Arc<dyn ReplySink>> {
        self.replies.get()
    }

    /// Takes a message, unless the queue is gone, had no consumer for longer than it may, or is full.
    pub(super) fn push(&self, message: Arc<Message>) -> Result<(), Refusal> {
        if let Some(sink) = self.replies() {
            sink.reply(Arc::unwrap_or_clone(message));
            return Ok(());
        }
        let mut state = self.state();
        if state.deleted || self.expired(&state) {
            return Err(Refusal::Gone(message));
        }
        let waiting = Waiting::new(message, &self.rules);
        // Straight to a consumer that has room, where nothing waits before it.
        if state.ready.is_empty()
            && let Some((consumer, tag)) = state.next_consumer(&waiting, &self.rules)
        {
            drop(state);
            consumer.deliver(tag, waiting.message, false);
            return Ok(());
        }
        // Where nobody consumes, nobody else would take away what has expired.
        state.drop_expired();
        let most = self.rules.max_length.unwrap_or(usize::MAX);
        if self.rules.rejects_when_full && state.ready.len() >= most {
            return Err(Refusal::Full(waiting.message));
        }
        let place = state.ready.partition_point(|other| other.priority >= waiting.priority);
        state.ready.insert(place, waiting);
        if state.ready.len() > most {
            state.drop_oldest();
        }
        Ok(())
    }

    fn expired(&self, state: &State) -> bool {
        match (self.rules.expires, state.idle_since) {
            (Some(expires), Some(since)) => Instant::now() >= since + expires,
            _ => false,
        }
    }

    /// Puts a message back to the front, of those of its priority.
    pub(super) fn put_back(&self, waiting: Waiting) {
        self.state().push_front(Waiting { redelivered: true, ..waiting });
        self.dispatch();
    }

    /// Hands waiting messages to consumers that have room. Where somebody does already, that one goes on with what has come meanwhile: a sink
    /// that gives back each delivery would come here again from within itself, ever deeper.
    pub(super) fn dispatch(&self) {
        let mut state = self.state();
        if state.ready.is_empty() || std::mem::replace(&mut state.dispatching, true) {
            return;
        }
        let mut dispatching = Dispatching(Some(self));
        loop {
            state.drop_expired();
            let next = state.ready.pop_front().and_then(|waiting| {
                let taken = state.next_consumer(&waiting, &self.rules);
                if taken.is_none() {
                    state.push_front(waiting.clone());
                }
                taken.map(|(consumer, tag)| (consumer, tag, waiting))
            });
            let Some((consumer, tag, waiting)) = next else {
                state.dispatching = false;
                dispatching.0 = None;
                return;
            };
            // The sink runs without the lock: it may publish to this very queue.
            drop(state);
            consumer.deliver(tag, waiting.message, waiting.redelivered);
            state = self.state();
        }
    }

    pub(super) fn add_consumer(&self, consumer: Arc<MemoryConsumer>) {
        let mut state = self.state();
        state.idle_since = None;
        state.consumers.push(consumer);
        drop(state);
        self.dispatch();
    }

    pub(super) fn set_replies(&self, sink: Arc<dyn ReplySink>) {
        self.state().idle_since = None;
        // Its name is its owner's alone, who consumes it once.
        let _ = self.replies.set(sink);
    }

    /// Whether the queue goes with its last consumer.
    pub(super) fn remove_consumer(&self, consumer: &MemoryConsumer) -> bool {
        let mut state = self.state();
        state.consumers.retain(|other| !std::ptr::eq(&**other, consumer));
        let last = state.consumers.is_empty();
        if last {
            state.idle_since = Some(Instant::now());
        }
        last && self.declared.auto_delete
    }

    /// Whether it had no consumer for longer than it may.
    pub(super) fn is_expired(&self) -> bool {
        self.expired(&self.state())
    }

    pub(super) fn delete(&self) {
        let mut state = self.state();
        state.deleted = true;
        state.ready.clear();
        state.consumers.clear();
    }

    /// Takes nothing more, if nobody consumes it and nothing waits in it.
    pub(super) fn close_if_idle(&self) -> bool {
        let mut state = self.state();
        state.drop_expired();
        let idle = state.ready.is_empty() && state.consumers.is_empty() && self.replies.get().is_none();
        state.deleted |= idle;
        idle
    }

    pub(super) fn status(&self) -> QueueStatus {
        let mut state = self.state();
        let now = Instant::now();
        state.ready.retain(|waiting| !waiting.expired(now));
        let consumers = state.consumers.len() + usize::from(self.replies.get().is_some());
        QueueStatus { messages: count(state.ready.len()), consumers: count(consumers) }
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl State {
    /// Drops what has expired at the front, as RabbitMQ does.
    fn drop_expired(&mut self) {
        if !self.ready.is_empty() {
            let now = Instant::now();
            while self.ready.front().is_some_and(|waiting| waiting.expired(now)) {
                self.ready.pop_front();
            }
        }
    }

    fn push_front(&mut self, waiting: Waiting) {
        let place = self.ready.partition_point(|other| other.priority > waiting.priority);
        self.ready.insert(place, waiting);
    }

    /// Drops what waits longest among what is least urgent.
    fn drop_oldest(&mut self) {
        if let Some(lowest) = self.ready.back().map(|last| last.priority) {
            let place = self.ready.partition_point(|other| other.priority > lowest);
            self.ready.remove(place);
        }
    }

    /// The next consumer in turn that has room for a message, with the tag of the delivery.
    fn next_consumer(&mut self, waiting: &Waiting, rules: &Rules) -> Option<(Arc<MemoryConsumer>, u64)> {
        if rules.single_active_consumer {
            let active = self.consumers.first()?;
            return Some((active.clone(), active.admit(waiting)?));
        }
        let consumers = self.consumers.len();
        for step in 0..consumers {
            let place = (self.turn + step) % consumers;
            if let Some(tag) = self.consumers[place].admit(waiting) {
                self.turn = place + 1;
                return Some((self.consumers[place].clone(), tag));
            }
        }
        None
    }
}

/// The queue that a consumer's messages came from, as long as it is there.
pub(super) type Home = Weak<MemoryQueue>;
