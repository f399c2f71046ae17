use std::sync::{Arc, PoisonError};

use kinoko::{
    protocol::Message,
    transport::{Delivery, DeliverySink, ReplySink},
};
use tokio::sync::{
    Mutex,
    mpsc::{UnboundedReceiver, UnboundedSender, error::SendError, unbounded_channel},
    watch,
};

use crate::soon;

/// Keeps what a consumer was given, for a test to take.
#[derive(Debug)]
pub struct Deliveries {
    received: Mutex<UnboundedReceiver<Delivery>>,
    lost: watch::Receiver<usize>,
}

struct DeliveryTap {
    received: UnboundedSender<Delivery>,
    lost: watch::Sender<usize>,
    /// What came when nobody took any more, until the consumer ends: handed back, it would come here again at once, without an end.
    late: std::sync::Mutex<Vec<Delivery>>,
}

impl Deliveries {
    /// A sink, and the test's end of it.
    pub fn new() -> (Arc<dyn DeliverySink>, Self) {
        let (sender, receiver) = unbounded_channel();
        let (lost, losses) = watch::channel(0);
        (
            Arc::new(DeliveryTap { received: sender, lost, late: Default::default() }),
            Self { received: Mutex::new(receiver), lost: losses },
        )
    }

    /// The next delivery, which must come soon.
    pub async fn next(&self) -> Delivery {
        soon("a delivery", async { self.received.lock().await.recv().await }).await.expect("the sink lives")
    }

    /// The message of the next delivery, which is acknowledged.
    pub async fn next_message(&self) -> Arc<Message> {
        let delivery = self.next().await;
        let message = delivery.message().clone();
        delivery.ack();
        message
    }

    /// The next delivery, however long it takes.
    pub async fn wait(&self) -> Delivery {
        self.received.lock().await.recv().await.expect("the sink lives")
    }

    /// The next so many.
    pub async fn take(&self, count: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(count);
        for _ in 0..count {
            deliveries.push(self.next().await);
        }
        deliveries
    }

    /// What is there already.
    pub async fn ready(&self) -> Option<Delivery> {
        self.received.lock().await.try_recv().ok()
    }

    /// How often `lost` was called.
    pub fn losses(&self) -> watch::Receiver<usize> {
        self.lost.clone()
    }
}

impl DeliverySink for DeliveryTap {
    fn deliver(&self, delivery: Delivery) {
        if let Err(SendError(delivery)) = self.received.send(delivery) {
            self.late.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
        }
    }

    fn lost(&self) {
        self.lost.send_modify(|count| *count += 1);
    }
}

/// What became of requests, other than replies.
pub type Returned = String;

/// Keeps what a requester was given, for a test to take.
#[derive(Debug)]
pub struct Replies {
    replies: Mutex<UnboundedReceiver<Message>>,
    returned: Mutex<UnboundedReceiver<Returned>>,
    lost: watch::Receiver<usize>,
}

struct ReplyTap {
    replies: UnboundedSender<Message>,
    returned: UnboundedSender<Returned>,
    lost: watch::Sender<usize>,
}

impl Replies {
    /// A sink, and the test's end of it.
    pub fn new() -> (Arc<dyn ReplySink>, Self) {
        let (replies, replies_end) = unbounded_channel();
        let (returned, returned_end) = unbounded_channel();
        let (lost, losses) = watch::channel(0);
        (
            Arc::new(ReplyTap { replies, returned, lost }),
            Self { replies: Mutex::new(replies_end), returned: Mutex::new(returned_end), lost: losses },
        )
    }

    /// The next reply, which must come soon.
    pub async fn next(&self) -> Message {
        soon("a reply", async { self.replies.lock().await.recv().await }).await.expect("the sink lives")
    }

    /// The next reply, however long it takes.
    pub async fn wait(&self) -> Message {
        self.replies.lock().await.recv().await.expect("the sink lives")
    }

    /// The correlation id of the next request that came back, which must be soon.
    pub async fn next_returned(&self) -> Returned {
        soon("a return", async { self.returned.lock().await.recv().await }).await.expect("the sink lives")
    }

    /// A reply that is there already.
    pub async fn ready(&self) -> Option<Message> {
        self.replies.lock().await.try_recv().ok()
    }

    /// A return that is there already.
    pub async fn ready_returned(&self) -> Option<Returned> {
        self.returned.lock().await.try_recv().ok()
    }

    /// How often `lost` was called.
    pub fn losses(&self) -> watch::Receiver<usize> {
        self.lost.clone()
    }
}

impl ReplySink for ReplyTap {
    fn reply(&self, reply: Message) {
        let _ = self.replies.send(reply);
    }

    fn returned(&self, correlation_id: &str) {
        let _ = self.returned.send(correlation_id.to_owned());
    }

    fn lost(&self) {
        self.lost.send_modify(|count| *count += 1);
    }
}
