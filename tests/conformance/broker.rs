use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kinoko::{
    protocol::{Message, Name},
    transport::{
        Binding, Exchange, ExchangeKind, MemoryTransport, Queue, Requester, Topology, Transport, TransportOptions,
        connect,
    },
};
use kinoko_tests::{Raw, Replies, amqp_uri, eventually, soon, unique};

/// What tests declare goes by itself, should a test not get to its end.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// Something that transports connect to: one in this process, or RabbitMQ.
pub(crate) struct Broker {
    kind: Kind,
    exchanges: Mutex<Vec<String>>,
    queues: Mutex<Vec<String>>,
}

enum Kind {
    Memory(String),
    Amqp,
}

impl Broker {
    pub(crate) fn memory() -> Self {
        Self::new(Kind::Memory(unique("conformance")))
    }

    pub(crate) fn amqp() -> Self {
        Self::new(Kind::Amqp)
    }

    fn new(kind: Kind) -> Self {
        Self { kind, exchanges: Mutex::default(), queues: Mutex::default() }
    }

    /// Whether it is the one in this process.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self.kind, Kind::Memory(_))
    }

    /// One more transport to the same broker.
    pub(crate) async fn open(&self) -> Arc<dyn Transport> {
        match &self.kind {
            Kind::Memory(name) => MemoryTransport::open(name),
            Kind::Amqp => soon("a connection", connect(&amqp_uri(), TransportOptions::default())).await.unwrap(),
        }
    }

    /// A queue that nobody else uses, not declared yet.
    pub(crate) fn queue(&self) -> Queue {
        let name = unique("conformance.queue");
        self.queues.lock().unwrap().push(name.clone());
        Queue::durable(name).expires(LEFT_BEHIND)
    }

    /// An exchange that nobody else uses, not declared yet.
    pub(crate) fn exchange(&self, kind: ExchangeKind) -> Exchange {
        let name = unique("conformance.exchange");
        self.exchanges.lock().unwrap().push(name.clone());
        Exchange::durable(name, kind)
    }

    /// A declared queue's name.
    pub(crate) async fn declared(&self, transport: &dyn Transport) -> Name {
        let queue = self.queue();
        let name = queue.name.clone();
        declare(transport, Topology { queues: vec![queue], ..Topology::default() }).await;
        name
    }

    /// Removes what the test declared, which only RabbitMQ keeps.
    pub(crate) async fn clean(&self) {
        let (exchanges, queues) = (self.exchanges.lock().unwrap().clone(), self.queues.lock().unwrap().clone());
        if self.is_memory() || (exchanges.is_empty() && queues.is_empty()) {
            return;
        }
        let raw = Raw::connect(&amqp_uri()).await;
        for exchange in exchanges {
            raw.delete_exchange(&exchange).await;
        }
        for queue in queues {
            raw.delete_queue(&queue).await;
        }
    }
}

pub(crate) async fn declare(transport: &dyn Transport, topology: Topology) {
    soon("a declaration", transport.declare(topology)).await.unwrap();
}

pub(crate) fn binding(exchange: &Exchange, queue: &Queue, key: &str) -> Binding {
    Binding::new(exchange.name.clone(), queue.name.clone(), key.to_owned())
}

pub(crate) async fn requester(transport: &dyn Transport) -> (Arc<dyn Requester>, Replies) {
    let (sink, replies) = Replies::new();
    let requester = soon("a requester", transport.open_requester("conformance", sink)).await.unwrap();
    (requester, replies)
}

pub(crate) async fn publish(requester: &dyn Requester, message: Message) {
    soon("a publish", requester.request(message)).await.unwrap();
}

/// Waits until so many messages wait in a queue.
pub(crate) async fn waiting(transport: &dyn Transport, queue: &Name, count: u32) {
    let what = format!("{count} waiting messages");
    let counted = || async { transport.queue_status(queue).await.unwrap().filter(|status| status.messages == count) };
    eventually(Duration::from_secs(10), &what, counted).await;
}
