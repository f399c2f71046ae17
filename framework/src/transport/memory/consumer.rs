use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use async_trait::async_trait;

use super::{broker::Broker, queue::Home};
use crate::{
    protocol::Message,
    transport::{Consumer, Delivery, DeliverySink, Publishing, Settler},
};

/// One consumer of one queue; also what settles its deliveries.
pub(super) struct MemoryConsumer {
    pub(super) queue: Home,
    broker: Weak<Broker>,
    sink: Arc<dyn DeliverySink>,
    /// How many more deliveries may be unsettled.
    room: AtomicI64,
    cancelled: AtomicBool,
}

impl MemoryConsumer {
    pub(super) fn new(queue: Home, broker: Weak<Broker>, prefetch: u16, sink: Arc<dyn DeliverySink>) -> Self {
        Self { queue, broker, sink, room: AtomicI64::new(prefetch.into()), cancelled: AtomicBool::new(false) }
    }

    /// Takes room for one delivery, if there is any.
    pub(super) fn take_room(&self) -> bool {
        if self.cancelled.load(Ordering::Acquire) {
            return false;
        }
        self.room.fetch_update(Ordering::AcqRel, Ordering::Acquire, |room| (room > 0).then(|| room - 1)).is_ok()
    }

    pub(super) fn deliver(self: Arc<Self>, message: Arc<Message>, redelivered: bool) {
        let sink = self.sink.clone();
        sink.deliver(Delivery::new(message, redelivered, 0, self));
    }

    /// The connection is closed: nothing more is taken, and what runs belongs to somebody else.
    pub(super) fn abandon(&self) {
        self.stop();
        self.sink.lost();
    }

    fn stop(&self) {
        self.cancelled.store(true, Ordering::Release);
        let Some(queue) = self.queue.upgrade() else { return };
        if queue.remove_consumer(self)
            && let Some(broker) = self.broker.upgrade()
        {
            broker.delete(queue.name());
        }
    }

    fn give_room(&self) {
        self.room.fetch_add(1, Ordering::AcqRel);
        if let Some(queue) = self.queue.upgrade() {
            queue.dispatch();
        }
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    fn grow(&self, extra: u16) {
        self.room.fetch_add(extra.into(), Ordering::AcqRel);
        if let Some(queue) = self.queue.upgrade() {
            queue.dispatch();
        }
    }

    async fn cancel(&self) {
        self.stop();
    }
}

impl Settler for MemoryConsumer {
    fn ack(&self, _: u64) {
        self.give_room();
    }

    fn requeue(&self, _: u64, message: Arc<Message>) {
        self.room.fetch_add(1, Ordering::AcqRel);
        if let Some(queue) = self.queue.upgrade() {
            queue.put_back(message);
        }
    }

    fn reply(&self, _: u64, reply: Message) -> Publishing {
        if let Some(broker) = self.broker.upgrade() {
            // A reply that leads nowhere has a caller that is gone; that is no error.
            let _ = broker.publish(reply);
        }
        self.give_room();
        Publishing::done(Ok(()))
    }
}

impl fmt::Debug for MemoryConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryConsumer").field("room", &self.room).finish_non_exhaustive()
    }
}
