use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use crate::{
    codec::Codecs,
    protocol::{Headers, Message, Name, Properties, Value, delivery_headers as headers, names},
};

/// One dead letter: a message that could not be handled, with what is known of why.
///
/// `Debug` shows neither the body nor the values of headers.
#[derive(Clone)]
#[non_exhaustive]
pub struct Letter {
    /// What identifies the message. Empty where it never had an id, as one that the broker itself took away from a handler may not.
    pub id: Name,
    /// Why it is a dead letter: `attempts`, `verdict`, `malformed`, `too_large`, `crashed`; or the broker's own reason, such as `delivery_limit`.
    pub reason: String,
    /// The last error, as a text.
    pub error: String,
    /// The name of the last error's class or variant.
    pub error_type: String,
    /// The stable code of the last error, where it has one.
    pub code: Option<String>,
    /// How many attempts were made.
    pub attempts: u64,
    /// When the first attempt failed.
    pub first_at: Option<SystemTime>,
    /// When it became a dead letter.
    pub at: Option<SystemTime>,
    /// The queue that it came from, and goes back to in a replay.
    pub queue: Name,
    /// The service that handled it.
    pub service: String,
    /// The method that handled it.
    pub method: String,
    /// The exchange it was first published to.
    pub exchange: Name,
    /// The routing key it was first published with: of an event, its name.
    pub routing_key: Name,
    /// The message's properties and headers, as they were published first.
    pub properties: Properties,
    /// The body, still encoded.
    pub body: Bytes,
}

impl Letter {
    /// Reads the message of a dead-letter queue.
    pub(super) fn read(message: &Message, dead_letters: &str) -> Self {
        let all = &message.properties.headers;
        let text = |header: &str| all.get(header).and_then(Value::as_str);
        let number = |header: &str| all.get(header).and_then(Value::as_u64);
        // What the broker took away from a handler bears its own headers instead of ours.
        let death = all.get("x-death").and_then(|deaths| deaths.get(0));
        let death_time = death.and_then(|death| death.get("time")?.as_u64()).map(Duration::from_secs);
        let reason = text(headers::DEAD_REASON).or_else(|| text("x-first-death-reason")).unwrap_or("unknown");
        let owned = |header| text(header).unwrap_or_default().to_owned();
        let place = |dead, first| text(dead).or_else(|| text(first)).unwrap_or_default().to_owned().into();
        let mut properties = message.properties.clone();
        properties.headers = original(all);
        Self {
            id: properties.message_id.clone().unwrap_or_default(),
            reason: reason.to_owned(),
            error: text(headers::DEAD_ERROR).or_else(|| text(headers::LAST_ERROR)).unwrap_or_default().to_owned(),
            error_type: owned(headers::DEAD_ERROR_TYPE),
            code: text(headers::DEAD_CODE).map(str::to_owned),
            attempts: number(headers::DEAD_ATTEMPTS).or_else(|| number(headers::ATTEMPT)).unwrap_or(1),
            first_at: number(headers::DEAD_FIRST_AT).or_else(|| number(headers::FIRST_FAILURE)).map(time),
            at: number(headers::DEAD_AT).map(time).or_else(|| UNIX_EPOCH.checked_add(death_time?)),
            queue: match text(headers::DEAD_QUEUE) {
                Some(queue) => queue.to_owned().into(),
                None => names::handled_queue(dead_letters).to_owned().into(),
            },
            service: owned(headers::DEAD_SERVICE),
            method: owned(headers::DEAD_METHOD),
            exchange: place(headers::DEAD_EXCHANGE, headers::EXCHANGE),
            routing_key: place(headers::DEAD_ROUTING_KEY, headers::ROUTING_KEY),
            properties,
            body: message.body.clone(),
        }
    }

    /// The body as a JSON value, where a codec that is built in reads it.
    pub fn payload(&self) -> Option<Value> {
        let content_type = self.properties.content_type.as_deref()?;
        Codecs::default().by_content_type(content_type)?.decode_value(&self.body).ok()
    }

    /// Of an event, the service that dispatched it, and its name.
    pub fn event(&self) -> Option<(&str, &str)> {
        Some((self.exchange.strip_suffix(".events")?, &self.routing_key))
    }

    /// The message for another round through its handler, as if it had never failed.
    pub(super) fn revived(self) -> Message {
        let Self { queue, exchange, routing_key, mut properties, body, .. } = self;
        // It comes by the default exchange, and its handler sees where it was published first.
        if !routing_key.is_empty() {
            properties.headers.set(headers::EXCHANGE, exchange.as_str());
            properties.headers.set(headers::ROUTING_KEY, routing_key.as_str());
        }
        Message { exchange: names::DEFAULT_EXCHANGE, routing_key: queue, properties, body }
    }
}

/// The headers that the message was published with.
fn original(all: &Headers) -> Headers {
    let ours = [
        headers::ATTEMPT,
        headers::EXCHANGE,
        headers::ROUTING_KEY,
        headers::FIRST_FAILURE,
        headers::LAST_ERROR,
        headers::DELIVERIES,
        headers::BEGUN,
        headers::BROKER_DELIVERIES,
        // The broker drops a message that seems to go in a circle.
        "x-death",
    ];
    let begins = [headers::DEAD, "x-first-death-", "x-last-death-"];
    let original = |name: &str| !ours.contains(&name) && !begins.iter().any(|begin| name.starts_with(begin));
    all.iter().filter(|(name, _)| original(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn time(ms: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or(UNIX_EPOCH)
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("id", &self.id)
            .field("reason", &self.reason)
            .field("error_type", &self.error_type)
            .field("attempts", &self.attempts)
            .field("queue", &self.queue)
            .field("exchange", &self.exchange)
            .field("routing_key", &self.routing_key)
            .field("properties", &self.properties)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
