use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{
    broker::Broker,
    queue::{Home, Waiting},
};
use crate::{
    protocol::{Message, Name},
    transport::{Consumer, ConsumerStatus, Delivery, DeliverySink, Publishing, Settler},
};

/// One consumer of one queue; also what settles its deliveries.
pub(super) struct MemoryConsumer {
    name: Name,
    queue: Home,
    broker: Weak<Broker>,
    sink: Arc<dyn DeliverySink>,
    unsettled: Mutex<Unsettled>,
    /// Deliveries that have their place, and that the sink has not taken yet.
    delivering: AtomicUsize,
    delivered: Notify,
}

/// What was delivered and has no verdict yet; a delivery's tag is its place.
struct Unsettled {
    /// Each with its number in the order of deliveries.
    places: Vec<Option<(u64, Waiting)>>,
    delivered: u64,
    free: Vec<u64>,
    /// How many more deliveries there may be.
    room: usize,
    /// Takes nothing more.
    cancelled: bool,
}

impl MemoryConsumer {
    pub(super) fn new(
        name: Name,
        queue: Home,
        broker: Weak<Broker>,
        prefetch: u16,
        sink: Arc<dyn DeliverySink>,
    ) -> Self {
        let unsettled =
            Unsettled { places: Vec::new(), delivered: 0, free: Vec::new(), room: prefetch.into(), cancelled: false };
        Self {
            name,
            queue,
            broker,
            sink,
            unsettled: Mutex::new(unsettled),
            delivering: AtomicUsize::new(0),
            delivered: Notify::new(),
        }
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
        self.delivering.fetch_add(1, Ordering::AcqRel);
        unsettled.delivered += 1;
        let waiting = Some((unsettled.delivered, waiting.clone()));
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
        let delivering = Delivering(self.clone());
        delivering.0.sink.deliver(Delivery::new(message, redelivered, tag, self));
    }

    /// Returns when the sink has taken everything that was admitted. After a cancel nothing more is.
    async fn delivered(&self) {
        loop {
            let mut delivered = pin!(self.delivered.notified());
            delivered.as_mut().enable();
            if self.delivering.load(Ordering::Acquire) == 0 {
                return;
            }
            delivered.await;
        }
    }

    /// Ends a delivery. `None` where the connection was closed meanwhile: then its message belongs to somebody else.
    fn settle(&self, tag: u64) -> Option<Waiting> {
        let mut unsettled = self.unsettled();
        let (_, message) = unsettled.places.get_mut(usize::try_from(tag).ok()?)?.take()?;
        unsettled.free.push(tag);
        unsettled.room += 1;
        Some(message)
    }

    /// The connection is closed: nothing more is taken, and what has no verdict belongs to somebody else.
    pub(super) fn abandon(&self) {
        let messages = self.take_unsettled();
        self.sink.lost();
        self.put_back(messages);
        self.leave_queue();
    }

    /// Takes nothing more, and what has no verdict: the last delivery first.
    fn take_unsettled(&self) -> Vec<Waiting> {
        let mut unsettled = self.unsettled();
        unsettled.cancelled = true;
        let mut messages: Vec<_> = unsettled.places.iter_mut().filter_map(Option::take).collect();
        drop(unsettled);
        messages.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        messages.into_iter().map(|(_, message)| message).collect()
    }

    fn put_back(&self, messages: Vec<Waiting>) {
        if let Some(queue) = self.queue.upgrade() {
            for message in messages {
                queue.put_back(message);
            }
        }
    }

    fn leave_queue(&self) {
        let Some(queue) = self.queue.upgrade() else { return };
        if queue.remove_consumer(self) {
            if let Some(broker) = self.broker.upgrade() {
                broker.delete(queue.name());
            }
        } else {
            // The turn of another one may have come only now.
            queue.dispatch();
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

    fn status(&self) -> ConsumerStatus {
        let mut status = ConsumerStatus { queue: self.name.clone(), ..ConsumerStatus::default() };
        status.started();
        if self.unsettled().cancelled {
            status.stopped("it was cancelled");
        } else if self.queue.upgrade().is_none() {
            status.interrupted("its queue was deleted");
        }
        status
    }

    async fn cancel(&self) {
        self.unsettled().cancelled = true;
        self.leave_queue();
        self.delivered().await;
    }

    async fn give_back(&self) {
        let messages = self.take_unsettled();
        self.put_back(messages);
        self.leave_queue();
        self.delivered().await;
    }
}

/// A delivery on its way into the sink, which may panic.
struct Delivering(Arc<MemoryConsumer>);

impl Drop for Delivering {
    fn drop(&mut self) {
        if self.0.delivering.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.delivered.notify_waiters();
        }
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

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        thread,
    };

    use futures_util::FutureExt;

    use crate::{
        protocol::Message,
        transport::{Delivery, DeliverySink, MemoryTransport, Queue, Topology},
    };

    /// Tells when a delivery is in it, and holds it there.
    struct Gate(mpsc::Sender<()>, std::sync::Mutex<mpsc::Receiver<()>>);

    impl DeliverySink for Gate {
        fn deliver(&self, delivery: Delivery) {
            self.0.send(()).unwrap();
            self.1.lock().unwrap().recv().unwrap();
            delivery.ack();
        }
        fn lost(&self) {}
    }

    #[tokio::test]
    async fn cancel_waits_for_a_delivery_that_another_thread_hands_over() {
        let transport = MemoryTransport::open("");
        let topology = Topology { queues: vec![Queue::durable("q")], ..Topology::default() };
        transport.declare(topology).await.unwrap();
        let ((entered, inside), (open, gate)) = (mpsc::channel(), mpsc::channel());
        let sink = Arc::new(Gate(entered, gate.into()));
        let consumer = transport.consume("q".into(), 1, sink).await.unwrap();
        let publishing = thread::spawn({
            let transport = transport.clone();
            move || transport.publish(Message { routing_key: "q".into(), ..Message::default() }).now_or_never()
        });
        inside.recv().unwrap();
        let mut cancelling = consumer.cancel();
        assert!((&mut cancelling).now_or_never().is_none(), "the sink has not returned");
        open.send(()).unwrap();
        cancelling.await;
        assert!(publishing.join().unwrap().unwrap().unwrap().routed);
    }

    /// Gives back each delivery, and tells after many.
    struct GivesBack(AtomicUsize, mpsc::Sender<()>);

    impl DeliverySink for GivesBack {
        fn deliver(&self, delivery: Delivery) {
            drop(delivery);
            if self.0.fetch_add(1, Ordering::Relaxed) == 100_000 {
                self.1.send(()).unwrap();
            }
        }
        fn lost(&self) {}
    }

    #[tokio::test]
    async fn sink_that_gives_everything_back_is_ended_by_a_cancel() {
        let transport = MemoryTransport::open("");
        let topology = Topology { queues: vec![Queue::durable("q")], ..Topology::default() };
        transport.declare(topology).await.unwrap();
        let (tell, told) = mpsc::channel();
        let consumer = transport.consume("q".into(), 1, Arc::new(GivesBack(0.into(), tell))).await.unwrap();
        let publishing = thread::spawn({
            let transport = transport.clone();
            move || transport.publish(Message { routing_key: "q".into(), ..Message::default() }).now_or_never()
        });
        told.recv().unwrap();
        consumer.cancel().await;
        assert!(publishing.join().unwrap().unwrap().unwrap().routed);
        assert_eq!(transport.queue_status(&"q".into()).await.unwrap().unwrap().messages, 1);
    }
}
