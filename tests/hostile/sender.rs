//! Sends what no client of kinoko sends.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use kinoko::{
    protocol::{Message, Name, Properties},
    transport::{Queue, Requester, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, Replies, eventually, soon, unique};

/// A connection of a stranger.
pub(crate) struct Sender {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) requester: Arc<dyn Requester>,
    pub(crate) replies: Replies,
    queue: Name,
    deliveries: Deliveries,
}

/// A request of Nameko's path.
pub(crate) fn request(service: &str, method: &str, content_type: &str, body: impl Into<Bytes>) -> Message {
    Message {
        exchange: "nameko-rpc".into(),
        routing_key: format!("{service}.{method}").into(),
        properties: Properties {
            content_type: Some(content_type.to_owned().into()),
            correlation_id: Some(unique("hostile").into()),
            ..Properties::default()
        },
        body: body.into(),
    }
}

impl Sender {
    pub(crate) async fn open(broker: &str) -> Self {
        let transport = soon("a connection", connect(broker, TransportOptions::default())).await.unwrap();
        let (sink, replies) = Replies::new();
        let requester = soon("a requester", transport.open_requester("stranger", sink)).await.unwrap();
        let queue = Queue::durable(unique("hostile.own")).expires(Duration::from_secs(60));
        let name = queue.name.clone();
        let topology = Topology { queues: vec![queue], ..Topology::default() };
        soon("a declaration", transport.declare(topology)).await.unwrap();
        let (sink, deliveries) = Deliveries::new();
        soon("a consumer", transport.consume(name.clone(), 10, sink)).await.unwrap();
        Self { transport, requester, replies, queue: name, deliveries }
    }

    /// Publishes a message as it is, its `reply_to` included: as the reply to a request of its own, which no transport changes.
    pub(crate) async fn publish(&self, message: Message) {
        self.send(Message { routing_key: self.queue.clone(), ..Message::default() }).await;
        soon("a publish", self.deliveries.next().await.reply(message)).await.unwrap();
    }

    pub(crate) async fn send(&self, message: Message) {
        soon("a request", self.requester.request(message)).await.unwrap();
    }

    /// The name of its reply queue.
    pub(crate) async fn reply_to(&self) -> Name {
        self.send(Message { routing_key: self.queue.clone(), ..Message::default() }).await;
        let own = self.deliveries.next().await;
        let reply_to = own.message().properties.reply_to.clone().expect("a request says where its reply goes");
        own.ack();
        reply_to
    }

    /// Sends a request and gives its reply, which must be its own.
    pub(crate) async fn ask(&self, message: Message) -> Message {
        let id = message.properties.correlation_id.clone();
        self.send(message).await;
        let reply = self.replies.next().await;
        assert_eq!(reply.properties.correlation_id, id);
        reply
    }

    /// Waits until a service's queue of Nameko's path is empty.
    pub(crate) async fn drained(&self, service: &str) {
        let queue = Name::from(format!("rpc-{service}"));
        eventually(Duration::from_secs(60), "an empty queue", || async {
            let status = self.transport.queue_status(&queue).await.unwrap().expect("the service has declared it");
            (status.messages == 0).then_some(())
        })
        .await;
    }

    pub(crate) async fn close(self) {
        soon("a close", self.transport.close()).await;
    }
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}
