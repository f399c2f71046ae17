//! The in-process broker: AMQP's model without a network, with the same promises.

mod broker;
mod consumer;
mod delayed;
mod exchange;
mod queue;
mod rules;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

use self::{
    broker::{Broker, Unpublished},
    consumer::MemoryConsumer,
    queue::Connection,
};
use super::{
    Binding, ConnectionState, Consumer, DeliverySink, Exchange, ExchangeKind, Published, Publishing, Queue,
    QueueStatus, ReplySink, Requester, Topology, Transport, check_delay, no_exchange,
};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Message, Name, names},
};

/// A connection to an in-process broker: what is used where no broker is configured, and in tests.
///
/// `memory://` opens a broker of its own; `memory://name` the one of that name in this process, which lives as long as
/// a connection to it does.
pub struct MemoryTransport {
    broker: Arc<Broker>,
    connection: Connection,
    name: String,
    rpc_exchange: Name,
    state: watch::Sender<ConnectionState>,
    closed: AtomicBool,
    consumers: Mutex<Vec<Arc<MemoryConsumer>>>,
    exclusive: Mutex<Vec<Name>>,
    replies: Mutex<Vec<Arc<dyn ReplySink>>>,
}

/// The named brokers of this process.
static NAMED: Mutex<Option<HashMap<String, Weak<Broker>>>> = Mutex::new(None);

impl MemoryTransport {
    /// Opens a connection; an empty name means a broker of its own.
    pub fn open(name: &str) -> Arc<dyn Transport> {
        Self::open_with(name, names::RPC_EXCHANGE)
    }

    /// The same with another exchange for replies.
    pub(crate) fn open_with(name: &str, rpc_exchange: Name) -> Arc<dyn Transport> {
        let broker = if name.is_empty() {
            Arc::new(Broker::default())
        } else {
            let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
            let named = named.get_or_insert_default();
            named.retain(|_, broker| broker.strong_count() > 0);
            named.get(name).and_then(Weak::upgrade).unwrap_or_else(|| {
                let broker = Arc::new(Broker::default());
                named.insert(name.to_owned(), Arc::downgrade(&broker));
                broker
            })
        };
        Arc::new(Self {
            broker,
            connection: Uuid::new_v4(),
            name: name.to_owned(),
            rpc_exchange,
            state: watch::Sender::new(ConnectionState::Connected),
            closed: AtomicBool::new(false),
            consumers: Mutex::default(),
            exclusive: Mutex::default(),
            replies: Mutex::default(),
        })
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }
}

fn with_id(mut message: Message) -> Message {
    message.properties.message_id.get_or_insert_with(|| Uuid::new_v4().to_string().into());
    message
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the transport is closed")
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn declare(&self, topology: Topology) -> Result<()> {
        self.check_open()?;
        topology.check()?;
        let exclusive = topology.queues.iter().filter(|queue| queue.exclusive).map(|queue| queue.name.clone());
        self.exclusive.lock().unwrap_or_else(PoisonError::into_inner).extend(exclusive);
        self.broker.declare(topology, self.connection)
    }

    async fn consume(&self, queue: Name, prefetch: u16, sink: Arc<dyn DeliverySink>) -> Result<Arc<dyn Consumer>> {
        self.check_open()?;
        let consumer = self.broker.consume(&queue, prefetch, sink, self.connection)?;
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).push(consumer.clone());
        Ok(consumer)
    }

    async fn open_requester(&self, owner: &str, sink: Arc<dyn ReplySink>) -> Result<Arc<dyn Requester>> {
        self.check_open()?;
        let reply_to = Name::from(format!("rpc.reply-{owner}-{}", Uuid::new_v4()));
        let topology = Topology {
            exchanges: vec![Exchange::durable(self.rpc_exchange.clone(), ExchangeKind::Topic)],
            queues: vec![Queue { exclusive: true, ..Queue::durable(reply_to.clone()) }],
            bindings: vec![Binding::new(self.rpc_exchange.clone(), reply_to.clone(), reply_to.clone())],
        };
        self.broker.declare(topology, self.connection)?;
        self.broker.consume_replies(&reply_to, sink.clone())?;
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).push(sink.clone());
        self.exclusive.lock().unwrap_or_else(PoisonError::into_inner).push(reply_to.clone());
        Ok(Arc::new(MemoryRequester { broker: self.broker.clone(), reply_to, sink, state: self.state.subscribe() }))
    }

    async fn publish(&self, message: Message) -> Result<Published> {
        self.check_open()?;
        match self.broker.publish(with_id(message)) {
            Ok(()) => Ok(Published { routed: true }),
            Err(Unpublished::Unroutable(_)) => Ok(Published { routed: false }),
            Err(Unpublished::NoExchange(message)) => Err(no_exchange(&message.exchange)),
            Err(Unpublished::Rejected(_)) => {
                Err(Error::new(ErrorKind::Rejected, "a queue did not take the message: it is full"))
            }
        }
    }

    async fn publish_later(&self, message: Message, delay: Duration) -> Result<()> {
        if delay.is_zero() {
            return self.publish(message).await.map(drop);
        }
        self.check_open()?;
        check_delay(delay)?;
        if !self.broker.has_exchange(&message.exchange) {
            return Err(no_exchange(&message.exchange));
        }
        self.broker.publish_later(with_id(message), delay);
        Ok(())
    }

    async fn queue_status(&self, queue: &Name) -> Result<Option<QueueStatus>> {
        self.check_open()?;
        Ok(self.broker.status(queue))
    }

    async fn remove_queue(&self, queue: &Name) -> Result<bool> {
        self.check_open()?;
        Ok(self.broker.remove_idle(queue))
    }

    fn is_adopted(&self, queue: &Queue) -> bool {
        self.broker.differs(queue)
    }

    fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    fn address(&self) -> String {
        format!("memory://{}", self.name)
    }

    async fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.state.send_replace(ConnectionState::Closed);
        let consumers = std::mem::take(&mut *self.consumers.lock().unwrap_or_else(PoisonError::into_inner));
        for consumer in consumers {
            consumer.abandon();
        }
        for queue in std::mem::take(&mut *self.exclusive.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.broker.delete_owned(&queue, self.connection);
        }
        for sink in std::mem::take(&mut *self.replies.lock().unwrap_or_else(PoisonError::into_inner)) {
            sink.lost();
        }
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").field("name", &self.name).finish_non_exhaustive()
    }
}

struct MemoryRequester {
    broker: Arc<Broker>,
    reply_to: Name,
    sink: Arc<dyn ReplySink>,
    state: watch::Receiver<ConnectionState>,
}

impl Requester for MemoryRequester {
    fn request(&self, mut message: Message) -> Publishing {
        if *self.state.borrow() == ConnectionState::Closed {
            return Publishing::done(Err(closed()));
        }
        message.properties.reply_to = Some(self.reply_to.clone());
        if let Err(Unpublished::Unroutable(returned) | Unpublished::NoExchange(returned)) = self.broker.publish(message)
            && let Some(correlation_id) = &returned.properties.correlation_id
        {
            self.sink.returned(correlation_id);
        }
        Publishing::done(Ok(()))
    }
}

impl fmt::Debug for MemoryRequester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRequester").field("reply_to", &self.reply_to).finish_non_exhaustive()
    }
}
