//! Metadata as a worker's context, and a worker's context as metadata.
//!
//! What is known under the same name everywhere goes by it: `authorization`, `traceparent`, `accept-language`. Other context data goes as
//! nameko-grpc has it, `x-nameko-{key}` with its value as JSON. All else is a header of the call, as that of a message over AMQP is.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::timeout::{self, GRPC_TIMEOUT};
use crate::{
    http::context::{REQUEST_ID, is_plain, known},
    protocol::{
        Headers, Properties, Value,
        context_data::{IDEMPOTENCY_KEY, PREFIX, TOKEN_HEADER},
    },
};

/// What nameko-grpc puts before each key of the context data.
const NAMEKO: &str = "x-nameko-";

/// What the protocol itself needs, and nobody else.
const PROTOCOL: [&str; 7] = [
    "content-type",
    "te",
    "user-agent",
    "grpc-encoding",
    "grpc-accept-encoding",
    "accept-encoding",
    "grpc-message-type",
];

/// What the metadata of a call say.
pub(super) struct Head {
    /// What the worker's message carries.
    pub(super) headers: Headers,
    /// How long the caller waits; `Err`: what it says is no time.
    pub(super) timeout: Result<Option<Duration>, String>,
    /// The caller's name for the call, which its answer has as well.
    pub(super) id: Option<HeaderValue>,
}

impl Head {
    pub(super) fn read(metadata: &HeaderMap) -> Self {
        let mut head = Self { headers: Headers::default(), timeout: Ok(None), id: None };
        for (name, value) in metadata {
            head.take(name.as_str(), value);
        }
        head
    }

    fn take(&mut self, name: &str, value: &HeaderValue) {
        if name == GRPC_TIMEOUT {
            let text = String::from_utf8_lossy(value.as_bytes());
            self.timeout = timeout::parse(&text).map(Some).ok_or_else(|| text.into_owned());
            return;
        }
        if PROTOCOL.contains(&name) {
            return;
        }
        let (key, value) = match known(name, value) {
            Some((key, value)) => (key.to_owned(), value.map(Value::from)),
            None if name == REQUEST_ID => {
                self.id = Some(value).filter(|id| is_plain(id)).cloned();
                let id = self.id.as_ref().and_then(|id| id.to_str().ok());
                (format!("{PREFIX}request_id"), id.map(Value::from))
            }
            None => {
                let text = value.to_str().ok();
                match name.strip_prefix(NAMEKO) {
                    Some(key) => (format!("{PREFIX}{key}"), text.map(json)),
                    None => (name.to_owned(), text.map(Value::from)),
                }
            }
        };
        // Of several the first counts.
        if let (Some(value), None) = (value, self.headers.get(&key)) {
            self.headers.set(key, value);
        }
    }
}

/// A value as nameko-grpc writes it; what is no JSON was written by somebody else, as text.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// What a call takes along, as metadata. What has no form there stays behind.
pub(super) fn write(properties: &Properties, metadata: &mut HeaderMap) {
    for (name, value) in properties.headers.iter() {
        let pair = match (name.strip_prefix(PREFIX), value) {
            _ if *name == TOKEN_HEADER => {
                value.as_str().map(|token| ("authorization".to_owned(), format!("Bearer {token}")))
            }
            _ if *name == IDEMPOTENCY_KEY => text(value).map(|key| ("idempotency-key".to_owned(), key)),
            (Some(key), value) => Some((format!("{NAMEKO}{key}"), ascii(&value.to_string()))),
            (None, value) => text(value).map(|text| (name.to_string(), text)),
        };
        let Some((name, value)) = pair else { continue };
        let header =
            HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).ok().zip(HeaderValue::from_str(&value).ok());
        match header {
            Some((name, value)) => drop(metadata.insert(name, value)),
            None => tracing::debug!(name, "a header has no form as metadata, and stays behind"),
        }
    }
}

/// JSON whose letters all have a place in metadata, as Python writes it.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter.is_ascii() {
            true => text.push(letter),
            false => text.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    text
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        plain => Some(plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Head {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Head::read(&pairs.collect())
    }

    #[test]
    fn what_is_known_has_its_own_place_and_the_rest_its_own_name() {
        let head = read(&[
            ("content-type", "application/grpc"),
            ("grpc-timeout", "250m"),
            ("authorization", "Bearer t0ken"),
            ("accept-language", "de-CH, de;q=0.5"),
            ("x-request-id", "r-1"),
            ("x-nameko-user_id", "17"),
            ("x-nameko-tenant", "\"acme\""),
            ("x-nameko-plain", "as it is"),
            ("x-shard", "7"),
        ]);
        let expected = json!({
            "nameko.auth_token": "t0ken", "nameko.language": "de-CH", "nameko.request_id": "r-1", "nameko.user_id": 17,
            "nameko.tenant": "acme", "nameko.plain": "as it is", "x-shard": "7",
        });
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.clone()));
        assert_eq!(Value::Object(headers.collect()), expected);
        assert_eq!(head.timeout, Ok(Some(Duration::from_millis(250))));
        assert_eq!(head.id.unwrap(), "r-1");
        assert_eq!(read(&[("grpc-timeout", "soon")]).timeout, Err("soon".to_owned()));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut properties = Properties::default();
        for (name, value) in [
            ("nameko.auth_token", json!("t0ken")),
            ("nameko.call_id_stack", json!(["a.b.1", "c.d.2"])),
            ("nameko.language", json!("zürich")),
            ("nameko.amount", json!(1.5)),
            ("kinoko.idempotency_key", json!("k-1")),
            ("x-shard", json!("7")),
        ] {
            properties.headers.set(name, value);
        }
        let mut metadata = HeaderMap::new();
        write(&properties, &mut metadata);
        assert_eq!(metadata["x-nameko-language"], "\"z\\u00fcrich\"");
        let read = Head::read(&metadata).headers;
        for (name, value) in properties.headers.iter() {
            assert_eq!(read.get(name), Some(value), "{name}");
        }
    }
}
