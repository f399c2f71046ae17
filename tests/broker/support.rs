use std::{sync::Arc, time::Duration};

use kinoko::{
    ErrorKind,
    protocol::{Message, Name, Properties},
    transport::{ConnectionState, Consumer, Queue, Requester, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, Replies, message, soon, unique};
use tokio::time::timeout;

/// A service and its client over one transport: a consumer that echoes, and a requester.
pub(crate) struct Echo {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) queue: Name,
    pub(crate) deliveries: Deliveries,
    pub(crate) consumer: Arc<dyn Consumer>,
    pub(crate) replies: Replies,
    pub(crate) requester: Arc<dyn Requester>,
}

pub(crate) async fn open(uri: &str) -> Arc<dyn Transport> {
    soon("a connection", connect(uri, TransportOptions::default())).await.unwrap()
}

/// Connects in vain, and returns the reason. On a busy machine it may come after the transport was returned.
pub(crate) async fn refusal(uri: &str, options: TransportOptions) -> String {
    match soon("an answer", connect(uri, options)).await {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
            error.to_string()
        }
        Ok(transport) => match reach(&*transport, |state| !matches!(state, ConnectionState::Connecting(_))).await {
            ConnectionState::Refused(text) => text,
            state => panic!("{state:?}"),
        },
    }
}

/// A queue that goes by itself some time after its test.
pub(crate) fn queue() -> Queue {
    Queue::durable(unique("broker.queue")).expires(Duration::from_secs(120))
}

impl Echo {
    pub(crate) async fn start(uri: &str) -> Self {
        Self::with_queue(open(uri).await, queue()).await
    }

    pub(crate) async fn with_queue(transport: Arc<dyn Transport>, queue: Queue) -> Self {
        let name = queue.name.clone();
        let topology = Topology { queues: vec![queue], ..Topology::default() };
        soon("a declaration", transport.declare(topology)).await.unwrap();
        let (sink, deliveries) = Deliveries::new();
        let consumer = soon("a consumer", transport.consume(name.clone(), 10, sink)).await.unwrap();
        let (sink, replies) = Replies::new();
        let requester = soon("a requester", transport.open_requester("broker", sink)).await.unwrap();
        Self { transport, queue: name, deliveries, consumer, replies, requester }
    }

    pub(crate) async fn request(&self, id: &str) {
        soon("a request", self.requester.request(message("", &self.queue, id))).await.unwrap();
    }

    /// One call, there and back. Returns the name of the reply queue.
    pub(crate) async fn call(&self, id: &str) -> String {
        self.request(id).await;
        loop {
            let delivery = self.deliveries.next().await;
            let request = delivery.message();
            let reply_to = request.properties.reply_to.clone().expect("a request says where its reply goes");
            let is_ours = request.properties.correlation_id.as_deref() == Some(id);
            let reply = Message {
                routing_key: reply_to.clone(),
                properties: Properties {
                    correlation_id: request.properties.correlation_id.clone(),
                    ..Properties::default()
                },
                ..Message::default()
            };
            let replied = soon("a reply's publish", delivery.reply(reply)).await;
            // What an earlier link left behind goes to a reply queue that is gone, or cannot be answered any more.
            if is_ours {
                replied.unwrap();
                assert_eq!(self.replies.next().await.properties.correlation_id.as_deref(), Some(id));
                return reply_to.to_string();
            }
        }
    }

    pub(crate) async fn lost(&self, times: usize) {
        let (mut consumer, mut requester) = (self.deliveries.losses(), self.replies.losses());
        soon("the consumer's loss", consumer.wait_for(|count| *count >= times)).await.unwrap();
        soon("the requester's loss", requester.wait_for(|count| *count >= times)).await.unwrap();
    }

    pub(crate) fn losses(&self) -> (usize, usize) {
        (*self.deliveries.losses().borrow(), *self.replies.losses().borrow())
    }
}

/// Waits for a state of the connection, for as long as a node takes to boot.
pub(crate) async fn reach(transport: &dyn Transport, wanted: impl Fn(&ConnectionState) -> bool) -> ConnectionState {
    let mut state = transport.state();
    let reached = timeout(Duration::from_secs(60), state.wait_for(|state| wanted(state))).await;
    reached.expect("the state comes").expect("the transport lives").clone()
}
