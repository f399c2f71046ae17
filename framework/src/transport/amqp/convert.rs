//! Between kinoko's messages and lapin's. Nothing here panics, whatever a peer sent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, FieldTable, ShortString},
};
use serde_json::{Map, Number};
use tracing::debug;

use super::{delays, link::PUBLISH_FRAME_MAX};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Headers, Message, Name, Properties, Value},
};

/// How deep header values may nest. Nobody nests deeper on purpose, and parsers recurse.
pub(super) const MAX_DEPTH: usize = 8;

/// The header frame must fit one frame, or the broker closes the whole connection. The rest is for framing and flags.
const MAX_PROPERTIES: usize = PUBLISH_FRAME_MAX as usize - 64;

/// RabbitMQ closes the channel for an expiration beyond 32 bits.
const MAX_EXPIRATION_MS: u128 = u32::MAX as u128;

const DELIVERY_MODE_PERSISTENT: u8 = 2;

/// What `basic_publish` takes, apart from the body.
pub(super) struct Outgoing {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
}

/// Converts a message; `reply_to` takes the place of the message's own.
///
/// # Errors
///
/// [`ErrorKind::Codec`] when a name is longer than AMQP allows, or the properties do not fit one frame.
pub(super) fn outgoing(message: &Message, reply_to: Option<&ShortString>) -> Result<Outgoing> {
    let Message { exchange, routing_key, properties, .. } = message;
    let mut size = 0;
    let mut out = BasicProperties::default();
    let mut text = |what: &'static str, value: &Option<Name>| match value {
        Some(value) => {
            size += value.len() + 1;
            short(what, value).map(Some)
        }
        None => Ok(None),
    };
    if let Some(value) = text("content type", &properties.content_type)? {
        out = out.with_content_type(value);
    }
    if let Some(value) = text("content encoding", &properties.content_encoding)? {
        out = out.with_content_encoding(value);
    }
    if let Some(value) = text("correlation id", &properties.correlation_id)? {
        out = out.with_correlation_id(value);
    }
    if let Some(value) = text("type", &properties.kind)? {
        out = out.with_type(value);
    }
    if let Some(value) = text("app id", &properties.app_id)? {
        out = out.with_app_id(value);
    }
    if let Some(value) = text("cluster id", &properties.cluster_id)? {
        out = out.with_cluster_id(value);
    }
    if let Some(value) = text("user id", &properties.user_id)? {
        out = out.with_user_id(value);
    }
    if let Some(value) = text("message id", &properties.message_id)? {
        out = out.with_message_id(value);
    }
    match reply_to {
        Some(value) => {
            size += value.as_str().len() + 1;
            out = out.with_reply_to(value.clone());
        }
        None => {
            if let Some(value) = text("reply queue", &properties.reply_to)? {
                out = out.with_reply_to(value);
            }
        }
    }
    if let Some(after) = properties.expiration {
        out = out.with_expiration(ShortString::from(milliseconds(after).to_string()));
    }
    if let Some(at) = properties.timestamp_ms {
        out = out.with_timestamp(at);
    }
    if let Some(priority) = properties.priority {
        out = out.with_priority(priority);
    }
    if properties.persistent {
        out = out.with_delivery_mode(DELIVERY_MODE_PERSISTENT);
    }
    if !properties.headers.is_empty() {
        out = out.with_headers(measured_table(&properties.headers, &mut size)?);
    }
    if size > MAX_PROPERTIES {
        return Err(Error::new(
            ErrorKind::Codec,
            format!(
                "the message's properties and headers take {size} bytes, at most {MAX_PROPERTIES} fit: move data into the body"
            ),
        ));
    }
    Ok(Outgoing {
        exchange: short("exchange", exchange)?,
        routing_key: short("routing key", routing_key)?,
        properties: out,
    })
}

/// Converts a delivery. Takes the body without copying it; `queue` is the name that the routing key most often repeats.
pub(super) fn incoming(delivery: Delivery, queue: &Name) -> (Message, bool) {
    let mut message = Message {
        exchange: name(&delivery.exchange),
        routing_key: if delivery.routing_key.as_str() == &**queue {
            queue.clone()
        } else {
            name(&delivery.routing_key)
        },
        properties: received(&delivery.properties),
        body: Bytes::from(delivery.data),
    };
    if !message.properties.headers.is_empty() {
        delays::arrived(&mut message);
    }
    (message, delivery.redelivered)
}

/// What a peer wrote beside a body.
pub(super) fn received(properties: &BasicProperties) -> Properties {
    let headers = match properties.headers() {
        Some(table) if !table.inner().is_empty() => headers(table),
        _ => Headers::default(),
    };
    Properties {
        content_type: properties.content_type().as_ref().map(name),
        content_encoding: properties.content_encoding().as_ref().map(name),
        correlation_id: properties.correlation_id().as_ref().map(name),
        reply_to: properties.reply_to().as_ref().map(name),
        expiration: properties.expiration().as_ref().and_then(|ms| ms.as_str().parse().ok()).map(Duration::from_millis),
        timestamp_ms: *properties.timestamp(),
        kind: properties.kind().as_ref().map(name),
        app_id: properties.app_id().as_ref().map(name),
        cluster_id: properties.cluster_id().as_ref().map(name),
        message_id: properties.message_id().as_ref().map(name),
        priority: *properties.priority(),
        user_id: properties.user_id().as_ref().map(name),
        persistent: *properties.delivery_mode() == Some(DELIVERY_MODE_PERSISTENT),
        headers,
    }
}

/// A name as AMQP carries it.
pub(super) fn short(what: &'static str, name: &str) -> Result<ShortString> {
    ShortString::try_new(name)
        .map_err(|_| Error::new(ErrorKind::Codec, format!("the {what} is {} bytes long, AMQP allows 255", name.len())))
}

/// The texts that nearly every message repeats cost no allocation.
fn name(text: &ShortString) -> Name {
    match text.as_str() {
        "" => Name::default(),
        "application/json" => Name::from_static("application/json"),
        "application/x-msgpack" => Name::from_static("application/x-msgpack"),
        "utf-8" => Name::from_static("utf-8"),
        "binary" => Name::from_static("binary"),
        "nameko-rpc" => Name::from_static("nameko-rpc"),
        "nameko.call_id_stack" => Name::from_static("nameko.call_id_stack"),
        other => Arc::<str>::from(other).into(),
    }
}

/// Whole milliseconds. What is left of a deadline is rounded up, so that a positive rest stays positive;
/// zero stays zero, which RabbitMQ delivers at once or drops.
fn milliseconds(after: Duration) -> u128 {
    after.as_nanos().div_ceil(1_000_000).min(MAX_EXPIRATION_MS)
}

/// Headers or arguments as AMQP carries them.
pub(super) fn table(entries: &Headers) -> Result<FieldTable> {
    measured_table(entries, &mut 0)
}

fn measured_table(headers: &Headers, size: &mut usize) -> Result<FieldTable> {
    let mut table = BTreeMap::new();
    for (key, value) in headers.iter() {
        if let Some(value) = to_amqp(value, 1, size) {
            *size += key.len() + 2;
            table.insert(short("header name", key)?, value);
        }
    }
    Ok(table.into())
}

/// `None`, with a debug log, where the value nests too deep.
fn to_amqp(value: &Value, depth: usize, size: &mut usize) -> Option<AMQPValue> {
    if depth > MAX_DEPTH {
        debug!(max_depth = MAX_DEPTH, "dropped a header value that nests too deep");
        return None;
    }
    *size += 9;
    Some(match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::Number(value) => number_to_amqp(value),
        Value::String(value) => {
            *size += value.len();
            AMQPValue::LongString(value.as_bytes().into())
        }
        Value::Array(values) => {
            AMQPValue::FieldArray(values.iter().filter_map(|v| to_amqp(v, depth + 1, size)).collect::<Vec<_>>().into())
        }
        Value::Object(entries) => {
            let mut table = BTreeMap::new();
            for (key, value) in entries {
                *size += key.len() + 1;
                if let (Ok(key), Some(value)) = (ShortString::try_new(key.as_str()), to_amqp(value, depth + 1, size)) {
                    table.insert(key, value);
                }
            }
            AMQPValue::FieldTable(table.into())
        }
    })
}

/// `I` and `l` mean the same to every peer; AMQP's unsigned 64-bit tag does not, so beyond `i64` a float has to do.
fn number_to_amqp(number: &Number) -> AMQPValue {
    match number.as_i64() {
        Some(value) => i32::try_from(value).map_or(AMQPValue::LongLongInt(value), AMQPValue::LongInt),
        None => AMQPValue::Double(number.as_f64().unwrap_or_default()),
    }
}

fn headers(table: &FieldTable) -> Headers {
    table.inner().iter().filter_map(|(key, value)| Some((name(key), to_json(value, 1)?))).collect()
}

fn to_json(value: &AMQPValue, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        debug!(max_depth = MAX_DEPTH, "dropped a header value that nests too deep");
        return None;
    }
    Some(match value {
        AMQPValue::Boolean(value) => Value::Bool(*value),
        AMQPValue::ShortShortInt(value) => (*value).into(),
        AMQPValue::ShortShortUInt(value) => (*value).into(),
        AMQPValue::ShortInt(value) => (*value).into(),
        AMQPValue::ShortUInt(value) => (*value).into(),
        AMQPValue::LongInt(value) => (*value).into(),
        AMQPValue::LongUInt(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::Float(value) => f64::from(*value).into(),
        AMQPValue::Double(value) => (*value).into(),
        AMQPValue::DecimalValue(value) => (f64::from(value.value) / 10_f64.powi(i32::from(value.scale))).into(),
        AMQPValue::ShortString(value) => value.as_str().into(),
        AMQPValue::LongString(value) => String::from_utf8_lossy(value.as_bytes()).into_owned().into(),
        AMQPValue::ByteArray(value) => String::from_utf8_lossy(value.as_slice()).into_owned().into(),
        AMQPValue::Timestamp(value) => (*value).into(),
        AMQPValue::FieldArray(values) => {
            Value::Array(values.as_slice().iter().filter_map(|v| to_json(v, depth + 1)).collect())
        }
        AMQPValue::FieldTable(table) => {
            let entries = table.inner().iter();
            Value::Object(
                entries
                    .filter_map(|(key, v)| Some((key.as_str().to_owned(), to_json(v, depth + 1)?)))
                    .collect::<Map<_, _>>(),
            )
        }
        AMQPValue::Void => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn round_trip(headers: Headers) -> Headers {
        super::headers(&table(&headers).unwrap())
    }

    #[test]
    fn headers_survive() {
        let value = json!({"s": "ü", "i": 1, "l": 5_000_000_000_i64, "n": -7, "f": 1.5, "b": true, "v": null, "a": [1, ["x"]], "o": {"k": "v"}});
        let headers = Headers::from_iter([("nameko.all", value.clone())]);
        assert_eq!(round_trip(headers).get("nameko.all"), Some(&value));
        assert_eq!(number_to_amqp(&1.into()), AMQPValue::LongInt(1));
        assert!(matches!(number_to_amqp(&u64::MAX.into()), AMQPValue::Double(_)));
    }

    #[test]
    fn what_nests_too_deep_is_dropped() {
        let mut deep = json!("core");
        for _ in 0..2000 {
            deep = json!([deep]);
        }
        let headers = round_trip(Headers::from_iter([("deep", deep), ("flat", json!(1))]));
        assert_eq!(headers.get("flat"), Some(&json!(1)));
        let text = serde_json::to_string(headers.get("deep").unwrap()).unwrap();
        assert_eq!(text, "[[[[[[[[]]]]]]]]");
    }

    #[test]
    fn unknown_types_become_the_nearest() {
        assert_eq!(to_json(&AMQPValue::Timestamp(7), 1), Some(json!(7)));
        assert_eq!(to_json(&AMQPValue::ByteArray(b"a\xff"[..].to_vec().into()), 1), Some(json!("a\u{fffd}")));
        assert_eq!(to_json(&AMQPValue::Double(f64::NAN), 1), Some(Value::Null));
    }

    #[test]
    fn expiration_is_whole_milliseconds() {
        let cases = [
            (Duration::ZERO, 0),
            (Duration::from_micros(1), 1),
            (Duration::from_millis(20), 20),
            (Duration::MAX, MAX_EXPIRATION_MS),
        ];
        for (after, expected) in cases {
            assert_eq!(milliseconds(after), expected, "{after:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = Message { routing_key: "k".repeat(256).into(), ..Message::default() };
        assert_eq!(outgoing(&long, None).err().map(|error| error.kind()), Some(ErrorKind::Codec));
        let mut fat = Message::default();
        fat.properties.headers.set("x", "y".repeat(17_000));
        assert_eq!(outgoing(&fat, None).err().map(|error| error.kind()), Some(ErrorKind::Codec));
    }
}
