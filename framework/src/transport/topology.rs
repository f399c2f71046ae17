use std::time::Duration;

use crate::{
    Error, ErrorKind, Result,
    protocol::{Headers, Name, Value},
};

/// Exchanges, queues and bindings that belong together. Declaring one twice changes nothing.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// The exchanges, declared first.
    pub exchanges: Vec<Exchange>,
    /// The queues, declared second.
    pub queues: Vec<Queue>,
    /// What routes from an exchange to a queue, declared last.
    pub bindings: Vec<Binding>,
}

impl Topology {
    /// Refuses what no broker can have.
    pub(super) fn check(&self) -> Result<()> {
        self.queues.iter().try_for_each(Queue::check)
    }
}

/// How an exchange chooses its queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeKind {
    /// By the whole routing key.
    Direct,
    /// By patterns of words: `*` is one word, `#` any number of them.
    Topic,
    /// To every bound queue.
    Fanout,
    /// By the headers that the arguments of the [`Binding`] name.
    Headers,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Its name.
    pub name: Name,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
}

impl Exchange {
    /// A durable exchange that stays.
    pub fn durable(name: impl Into<Name>, kind: ExchangeKind) -> Self {
        Self { name: name.into(), kind, durable: true, auto_delete: false }
    }
}

/// How the broker keeps a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QueueKind {
    /// On one node: what Nameko declares.
    #[default]
    Classic,
    /// On a majority of nodes. Such a queue is durable, neither exclusive nor removed with its last consumer.
    Quorum,
}

/// A queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Its name.
    pub name: Name,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Belongs to this connection and goes with it.
    pub exclusive: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Goes when it had no consumer for this long. `None`: never.
    pub expires: Option<Duration>,
    /// How it is kept.
    pub kind: QueueKind,
    /// Whether only one of its consumers gets messages at a time, and the next one when that ends.
    pub single_active_consumer: bool,
    /// Further arguments, as the broker names them (`x-max-length`).
    pub arguments: Headers,
}

impl Queue {
    /// A durable queue that stays, without arguments: what Nameko declares for RPC.
    pub fn durable(name: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            durable: true,
            exclusive: false,
            auto_delete: false,
            expires: None,
            kind: QueueKind::Classic,
            single_active_consumer: false,
            arguments: Headers::default(),
        }
    }

    /// The same queue, removed when it had no consumer for this long.
    #[must_use]
    pub fn expires(mut self, after: Duration) -> Self {
        self.expires = Some(after);
        self
    }

    /// The same queue, kept on a majority of nodes.
    #[must_use]
    pub fn quorum(mut self) -> Self {
        self.kind = QueueKind::Quorum;
        self
    }

    /// The same queue with a further argument, as the broker names it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::transport::Queue;
    ///
    /// let queue = Queue::durable("orders.urgent").argument("x-max-priority", 5);
    /// assert_eq!(queue.arguments.get("x-max-priority"), Some(&5.into()));
    /// ```
    #[must_use]
    pub fn argument(mut self, key: impl Into<Name>, value: impl Into<Value>) -> Self {
        self.arguments.set(key, value);
        self
    }

    /// Refuses what no broker can have.
    pub(super) fn check(&self) -> Result<()> {
        if self.kind == QueueKind::Quorum && (!self.durable || self.exclusive || self.auto_delete) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("queue `{}` is a quorum queue: it is durable, neither exclusive nor auto-delete", self.name),
            ));
        }
        Ok(())
    }
}

/// Routes messages from an exchange to a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The exchange that routes.
    pub exchange: Name,
    /// The queue that receives.
    pub queue: Name,
    /// The routing key, or the pattern of a topic exchange.
    pub routing_key: Name,
    /// What an exchange of kind [`Headers`](ExchangeKind::Headers) goes by: the headers that a message must have. `x-match` says whether all
    /// of them (`all`, the default) or one (`any`); other keys that begin with `x-` are not compared.
    pub arguments: Headers,
}

impl Binding {
    /// Routes what has this key, or one of this pattern.
    pub fn new(exchange: impl Into<Name>, queue: impl Into<Name>, routing_key: impl Into<Name>) -> Self {
        Self {
            exchange: exchange.into(),
            queue: queue.into(),
            routing_key: routing_key.into(),
            arguments: Headers::default(),
        }
    }
}

/// What the broker knows of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueStatus {
    /// Messages that wait, without those that are delivered and unsettled.
    pub messages: u32,
    /// Consumers that run.
    pub consumers: u32,
}
