//! A row of the outbox, and how a message becomes one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    event::Prepared,
    protocol::{Headers, Message, Name, Properties, Value},
    sql::backend::Cells,
};

/// One message that was committed and is not yet known to be at the broker.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: i64,
    /// What it keeps its order with.
    pub(super) ordered_by: String,
    /// How often the broker has refused it.
    pub(super) attempts: i64,
    /// Of its body.
    pub(super) bytes: usize,
    /// Or why there is none to be read.
    pub(super) message: Result<Outgoing, String>,
}

/// What goes to the broker.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) message: Message,
    /// Of an event: whose it is.
    pub(super) source: Option<Name>,
    pub(super) required: bool,
}

/// What the column `properties` holds: all that belongs to a message beside its place and its body.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    required: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    persistent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiration_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// In their order, which a map would lose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, Value)>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's way")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The column `properties` of a message. Its id has a column of its own.
pub(super) fn properties(prepared: &Prepared) -> String {
    let text = |name: &Option<Name>| name.as_ref().map(|name| name.to_string());
    let properties = &prepared.message.properties;
    let stored = Stored {
        source: text(&prepared.source),
        required: prepared.required,
        persistent: properties.persistent,
        content_type: text(&properties.content_type),
        content_encoding: text(&properties.content_encoding),
        correlation_id: text(&properties.correlation_id),
        reply_to: text(&properties.reply_to),
        expiration_ms: properties.expiration.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        timestamp: properties.timestamp_ms,
        kind: text(&properties.kind),
        app_id: text(&properties.app_id),
        priority: properties.priority,
        user_id: text(&properties.user_id),
        headers: properties.headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
    };
    serde_json::to_string(&stored).expect("texts, numbers and JSON have a form in JSON")
}

impl Row {
    /// From the columns that `store::LOAD` asks for.
    pub(super) fn read(mut cells: Cells) -> sqlx::Result<Self> {
        let (id, ordered_by, attempts) = (cells.int(0)?, cells.text(1)?, cells.int(2)?);
        let (message_id, exchange, routing_key) = (cells.text(3)?, cells.text(4)?, cells.text(5)?);
        let (properties, body) = (cells.text(6)?, cells.bytes(7)?);
        let bytes = body.len();
        let message = serde_json::from_str(&properties)
            .map(|stored| outgoing(stored, message_id, (exchange, routing_key), body))
            .map_err(|error| format!("its column `properties` cannot be read: {error}"));
        Ok(Self { id, ordered_by, attempts, bytes, message })
    }
}

fn outgoing(stored: Stored, message_id: String, (exchange, routing_key): (String, String), body: Vec<u8>) -> Outgoing {
    let name = |text: Option<String>| text.map(Name::from);
    let properties = Properties {
        content_type: name(stored.content_type),
        content_encoding: name(stored.content_encoding),
        correlation_id: name(stored.correlation_id),
        reply_to: name(stored.reply_to),
        expiration: stored.expiration_ms.map(Duration::from_millis),
        timestamp_ms: stored.timestamp,
        kind: name(stored.kind),
        app_id: name(stored.app_id),
        message_id: Some(message_id.into()),
        // Of requests alone.
        cluster_id: None,
        priority: stored.priority,
        user_id: name(stored.user_id),
        persistent: stored.persistent,
        headers: stored.headers.into_iter().collect::<Headers>(),
    };
    let message = Message { exchange: exchange.into(), routing_key: routing_key.into(), properties, body: body.into() };
    Outgoing { message, source: name(stored.source), required: stored.required }
}
