use std::{fmt, time::Duration};

use bytes::Bytes;

use super::{Name, Value};

/// A message as every transport carries it: AMQP's model, whichever broker is beneath.
///
/// `Debug` shows neither the body nor the values of headers: both may hold what no log may have.
#[derive(Clone, Default)]
pub struct Message {
    /// Where it is published; empty is the default exchange, which routes to the queue named by the routing key.
    pub exchange: Name,
    /// What the exchange routes by.
    pub routing_key: Name,
    /// What travels beside the body.
    pub properties: Properties,
    /// The encoded payload.
    pub body: Bytes,
}

/// The properties of a [`Message`], a subset of AMQP's.
///
/// `Debug` does not show a token.
#[derive(Clone, Default)]
pub struct Properties {
    /// How the body is encoded, for example `application/json`.
    pub content_type: Option<Name>,
    /// Nameko's second half of the codec: `utf-8` or `binary`.
    pub content_encoding: Option<Name>,
    /// Ties a reply to its request.
    pub correlation_id: Option<Name>,
    /// Where the reply goes: a routing key.
    pub reply_to: Option<Name>,
    /// How long the message is worth delivering. Sent in whole milliseconds.
    pub expiration: Option<Duration>,
    /// When it was sent, in milliseconds since the Unix epoch. AMQP means seconds; only kinoko peers read it.
    pub timestamp_ms: Option<u64>,
    /// AMQP's `type`: the method, on the short path between kinoko peers.
    pub kind: Option<Name>,
    /// AMQP's `app_id`: the call-id stack, on the short path between kinoko peers.
    pub app_id: Option<Name>,
    /// AMQP's reserved `cluster_id`, which brokers hand on: the caller's token, on the short path between kinoko peers.
    pub cluster_id: Option<Name>,
    /// Identifies one logical publish; on the short path between kinoko peers, where nothing is published twice, the trace.
    pub message_id: Option<Name>,
    /// What is delivered first in a queue that has priorities; the highest first.
    pub priority: Option<u8>,
    /// The broker's user who published it, checked by the broker.
    pub user_id: Option<Name>,
    /// Survives a restart of the broker (delivery mode 2).
    pub persistent: bool,
    /// Everything else.
    pub headers: Headers,
}

/// A message's headers, in the order they were set.
///
/// `Debug` shows the keys alone: a value may be a token.
#[derive(Clone, Default, PartialEq)]
pub struct Headers(Vec<(Name, Value)>);

impl Headers {
    /// The value under this key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Sets a key, in place of an earlier value of it.
    pub fn set(&mut self, key: impl Into<Name>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// Keeps only the keys that this says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// Each key with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<Name>, V: Into<Value>> FromIterator<(K, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        Self(iter.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &self.exchange)
            .field("routing_key", &self.routing_key)
            .field("properties", &self.properties)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All of them by name: who adds one has to say whether a log may have it.
        let Self {
            content_type,
            content_encoding,
            correlation_id,
            reply_to,
            expiration,
            timestamp_ms,
            kind,
            app_id,
            cluster_id,
            message_id,
            priority,
            user_id,
            persistent,
            headers,
        } = self;
        f.debug_struct("Properties")
            .field("content_type", content_type)
            .field("content_encoding", content_encoding)
            .field("correlation_id", correlation_id)
            .field("reply_to", reply_to)
            .field("expiration", expiration)
            .field("timestamp_ms", timestamp_ms)
            .field("kind", kind)
            .field("app_id", app_id)
            .field("cluster_id", &cluster_id.as_ref().map(|_| "…"))
            .field("message_id", message_id)
            .field("priority", priority)
            .field("user_id", user_id)
            .field("persistent", persistent)
            .field("headers", headers)
            .finish()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
