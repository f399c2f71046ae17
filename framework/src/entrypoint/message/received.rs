use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{begun::Begun, idempotency::Claim, recall::Note};
use crate::{
    codec::Codecs,
    event::RawDelivery,
    protocol::{Fault, Message, Name, Value, context_data, delivery_headers as headers, excerpt, names},
    transport::{Delivery, MAX_DELAY},
};

/// One delivery, as its handler sees it.
pub(super) struct Received {
    pub(super) delivery: Delivery,
    /// As it was published first: what comes again comes by the default exchange.
    pub(super) message: Arc<Message>,
    /// Which attempt begins with it, counted from 1.
    pub(super) attempt: u32,
    /// Ends with the connection that delivered it, or when the container drops its workers.
    pub(super) connection: CancellationToken,
    /// Keeps others off the same message, where the handler is idempotent.
    pub(super) claim: Option<Claim>,
    /// What tells everybody that a worker has begun it, where that is counted.
    pub(super) begun: Option<Begun>,
    /// When its first attempt in this place failed, in milliseconds since the Unix epoch.
    first_failure: Option<u64>,
}

impl Received {
    pub(super) fn new(delivery: Delivery, connection: CancellationToken) -> Self {
        let message = first_published(delivery.message());
        let attempt = number(&message, headers::ATTEMPT).unwrap_or(1).max(1);
        let first_failure = number(&message, headers::FIRST_FAILURE);
        let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        Self { delivery, message, attempt, connection, claim: None, begun: None, first_failure }
    }

    pub(super) fn raw(&self, codecs: &Codecs) -> RawDelivery {
        let format = codecs.of(&self.message.properties);
        RawDelivery::new(self.message.clone(), format, self.delivery.redelivered(), self.attempt)
    }

    /// How often it was delivered before this time without an end, as far as anybody counted. The broker's own count, where it has one,
    /// is of this message; the header is of those in whose place it is.
    pub(super) fn deliveries(&self) -> Deliveries {
        let by_broker = number(&self.message, headers::BROKER_DELIVERIES);
        let before = number(&self.message, headers::DELIVERIES).unwrap_or(0);
        let count = before.saturating_add(by_broker.unwrap_or(1));
        Deliveries { count, before, by_broker: by_broker.is_some() }
    }

    /// Whether somebody had it before, it or one in whose place it is.
    pub(super) fn comes_again(&self) -> bool {
        self.delivery.redelivered() || self.is_counted()
    }

    /// Whether an attempt at it failed, or came to no end.
    pub(super) fn is_suspect(&self) -> bool {
        self.attempt > 1 || self.is_counted()
    }

    fn is_counted(&self) -> bool {
        self.message.properties.headers.get(headers::BEGUN).is_some()
    }

    /// What its header says that it is marked by when a worker begins it.
    pub(super) fn mark(&self) -> Option<Begun> {
        let id = self.message.properties.headers.get(headers::BEGUN)?.as_str()?;
        Uuid::parse_str(id).ok().map(Begun::of)
    }

    /// The message of the next attempt.
    pub(super) fn next_attempt(&self, queue: &Name, fault: &Fault) -> Message {
        let mut next = self.successor(queue.clone());
        let headers = &mut next.properties.headers;
        // This attempt came to its end.
        headers.retain(|name| !headers::OF_ONE_ATTEMPT.contains(&name));
        headers.set(headers::ATTEMPT, self.attempt.saturating_add(1));
        headers.set(headers::FIRST_FAILURE, self.first_failure());
        headers.set(headers::LAST_ERROR, excerpt(fault));
        next
    }

    /// The message of the same attempt, which has been begun so often.
    pub(super) fn same_attempt(&self, queue: &Name, deliveries: u64) -> Message {
        let mut next = self.successor(queue.clone());
        let headers = &mut next.properties.headers;
        headers.set(headers::DELIVERIES, deliveries);
        // What a stop hands back comes once more, too, and by the hundred: that costs no marks.
        if deliveries > 1 {
            headers.set(headers::BEGUN, Uuid::new_v4().to_string());
        }
        next
    }

    /// The message in another queue, with everything that tells where it came from.
    pub(super) fn successor(&self, queue: Name) -> Message {
        let mut next = (*self.message).clone();
        let properties = &mut next.properties;
        properties.headers.retain(|name| !is_brokers_own(name));
        properties.headers.set(headers::EXCHANGE, next.exchange.as_str());
        properties.headers.set(headers::ROUTING_KEY, next.routing_key.as_str());
        properties.message_id.get_or_insert_with(|| Uuid::new_v4().to_string().into());
        properties.persistent = true;
        // It came in time; from here on it must not vanish.
        properties.expiration = None;
        // Who publishes it now is not who published it first, and the broker looks.
        properties.user_id = None;
        next.exchange = names::DEFAULT_EXCHANGE;
        next.routing_key = queue;
        next
    }

    /// Nobody needs to see it again.
    pub(super) fn done(self) {
        if let Some(claim) = self.claim {
            claim.handled();
        }
        self.delivery.ack();
    }

    /// When its first attempt failed, in milliseconds since the Unix epoch: now, if it is this one.
    pub(super) fn first_failure(&self) -> u64 {
        self.first_failure.unwrap_or_else(context_data::unix_ms)
    }

    /// The next attempt begins with the same delivery, or, where the connection is lost meanwhile, with the next one of the same message.
    pub(super) fn failed_in_place(&mut self, delay: Duration) -> Note {
        self.first_failure = Some(self.first_failure());
        self.attempt = self.attempt.saturating_add(1);
        let due = Instant::now().checked_add(delay.min(MAX_DELAY));
        Note { attempt: self.attempt, first_failure: self.first_failure, due, ..Note::default() }
    }

    /// Goes on where an earlier delivery of the same message ended.
    pub(super) fn resume(&mut self, note: &Note) {
        self.attempt = self.attempt.max(note.attempt);
        self.first_failure = note.first_failure.or(self.first_failure);
    }
}

/// How often a message was delivered without an end.
pub(super) struct Deliveries {
    pub(super) count: u64,
    /// Those of the messages in whose place it is.
    pub(super) before: u64,
    /// The broker counts them, so that another death of the process is counted without anybody's doing.
    pub(super) by_broker: bool,
}

fn number(message: &Message, header: &str) -> Option<u64> {
    message.properties.headers.get(header)?.as_u64()
}

/// Headers that would mislead the broker: it drops a message that seems to go in a circle, and takes `CC` for further queues.
fn is_brokers_own(name: &str) -> bool {
    matches!(name, "x-death" | "x-delivery-count" | "x-acquired-count" | "CC" | "BCC")
        || name.starts_with("x-first-death-")
        || name.starts_with("x-last-death-")
}

/// The message with its first exchange and routing key, where it has been published again since.
fn first_published(message: &Arc<Message>) -> Arc<Message> {
    // What comes by another exchange has not, whatever its headers say.
    if !message.exchange.is_empty() {
        return message.clone();
    }
    let text = |header| message.properties.headers.get(header).and_then(Value::as_str).map(str::to_owned);
    let (Some(exchange), Some(routing_key)) = (text(headers::EXCHANGE), text(headers::ROUTING_KEY)) else {
        return message.clone();
    };
    Arc::new(Message { exchange: exchange.into(), routing_key: routing_key.into(), ..Message::clone(message) })
}
