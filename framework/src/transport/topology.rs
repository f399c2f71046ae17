use std::time::Duration;

use crate::protocol::Name;

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
}

/// An exchange, durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: Name,
    /// How it routes.
    pub kind: ExchangeKind,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

impl Queue {
    /// A durable queue that stays, without arguments: what Nameko declares for RPC.
    pub fn durable(name: impl Into<Name>) -> Self {
        Self { name: name.into(), durable: true, exclusive: false, auto_delete: false, expires: None }
    }

    /// The same queue, removed when it had no consumer for this long.
    #[must_use]
    pub fn expires(mut self, after: Duration) -> Self {
        self.expires = Some(after);
        self
    }
}

/// Routes messages from an exchange to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The exchange that routes.
    pub exchange: Name,
    /// The queue that receives.
    pub queue: Name,
    /// The routing key, or the pattern of a topic exchange.
    pub routing_key: Name,
}

/// What the broker knows of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueStatus {
    /// Messages that wait, without those that are delivered and unsettled.
    pub messages: u32,
    /// Consumers that run.
    pub consumers: u32,
}
