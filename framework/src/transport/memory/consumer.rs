use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use async_trait::async_trait;

use super::{
    broker::Broker,
    queue::{Home, Waiting},
};
use crate::{
    protocol::Message,
    transport::{Consumer, Delivery, DeliverySink, Publishing, Settler},
};

/// One consumer of one queue; also what settles its deliveries.
pub(super) struct MemoryConsumer {
    queue: Home,
    broker: Weak<Broker>,
    sink: Arc<dyn DeliverySink>,
    unsettled: Mutex<Unsettled>,
}

/// What was delivered and has no verdict yet; a delivery's tag is its place.
struct Unsettled {
    places: Vec<Option<Waiting>>,
    free: Vec<u64>,
    /// How many more deliveries there may be.
    room: usize,
    /// Takes nothing more.
    cancelled: bool,
}

impl MemoryConsumer {
    pub(super) fn new(queue: Home, broker: Weak<Broker>, prefetch: u16, sink: Arc<dyn DeliverySink>) -> Self {
        let unsettled = Unsettled { places: Vec::new(), free: Vec::new(), room: prefetch.into(), cancelled: false };
        Self { queue, broker, sink, unsettled: Mutex::new(unsettled) }
    }

    fn unsettled(&self) -> MutexGuard<'_, Unsettled> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a message, if there is room: the tag of its delivery.
    pub(super) fn admit(&self, waiting: &Waiting) -> Option<u64> {
        let mut unsettled = self.unsettled();
        if unsettled.cancelled || unsettled.room == 0 {
            return None;
        }
        unsettled.room -= 1;
        let waiting = Some(waiting.clone());
        Some(match unsettled.free.pop() {
            Some(tag) => {
                unsettled.places[usize::try_from(tag).expect("a place in memory")] = waiting;
                tag
            }
            None => {
                unsettled.places.push(waiting);
                unsettled.places.len() as u64 - 1
            }
        })
    }

    pub(super) fn deliver(self: Arc<Self>, tag: u64, message: Arc<Message>, redelivered: bool) {
        let sink = self.sink.clone();
        sink.deliver(Delivery::new(message, redelivered, tag, self));
    }

    /// Ends a delivery. `None` where the connection was closed meanwhile: then its message belongs to somebody else.
    fn settle(&self, tag: u64) -> Option<Waiting> {
        let mut unsettled = self.unsettled();
        let message = unsettled.places.get_mut(usize::try_from(tag).ok()?)?.take()?;
        unsettled.free.push(tag);
        unsettled.room += 1;
        Some(message)
    }

    /// The connection is closed: nothing more is taken, and what has no verdict belongs to somebody else.
    pub(super) fn abandon(&self) {
        let messages: Vec<_> = {
            let mut unsettled = self.unsettled();
            unsettled.cancelled = true;
            unsettled.places.iter_mut().filter_map(Option::take).collect()
        };
        self.sink.lost();
        if let Some(queue) = self.queue.upgrade() {
            for message in messages.into_iter().rev() {
                queue.put_back(message);
            }
        }
        self.leave_queue();
    }

    fn leave_queue(&self) {
        let Some(queue) = self.queue.upgrade() else { return };
        if queue.remove_consumer(self)
            && let Some(broker) = self.broker.upgrade()
        {
            broker.delete(queue.name());
        }
    }

    fn dispatch(&self) {
        if let Some(queue) = self.queue.upgrade() {
            queue.dispatch();
        }
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    fn grow(&self, extra: u16) {
        self.unsettled().room += usize::from(extra);
        self.dispatch();
    }

    async fn cancel(&self) {
        self.unsettled().cancelled = true;
        self.leave_queue();
    }
}

impl Settler for MemoryConsumer {
    fn ack(&self, tag: u64) {
        if self.settle(tag).is_some() {
            self.dispatch();
        }
    }

    fn requeue(&self, tag: u64, _: Arc<Message>) {
        if let Some(message) = self.settle(tag)
            && let Some(queue) = self.queue.upgrade()
        {
            queue.put_back(message);
        }
    }

    fn reply(&self, tag: u64, reply: Message) -> Publishing {
        if self.settle(tag).is_some() {
            if let Some(broker) = self.broker.upgrade() {
                // A reply that leads nowhere has a caller that is gone; that is no error.
                let _ = broker.publish(reply);
            }
            self.dispatch();
        }
        Publishing::done(Ok(()))
    }
}

impl fmt::Debug for MemoryConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryConsumer").field("room", &self.unsettled().room).finish_non_exhaustive()
    }
}
