//! Bytes: as such where the format has them, and as a list of numbers in JSON.

use std::fmt;

use ::schemars::{Schema, json_schema};
use ::serde::{Deserializer, Serializer, de};
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};

use super::Form;

/// What one length that a peer names may make us set aside.
const MOST_AT_ONCE: usize = 4096;

/// Bytes. Base64, which is what protobuf's own JSON has for them, is read too.
#[derive(Debug)]
pub enum Bytes {}

impl Form for Bytes {
    type Value = Vec<u8>;

    fn serialize<S: Serializer>(value: &Vec<u8>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(value)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_any(Visitor)
    }

    fn schema() -> Schema {
        let byte = json_schema!({ "type": "integer", "minimum": 0, "maximum": 255 });
        json_schema!({ "anyOf": [{ "type": "array", "items": byte }, { "type": "string", "contentEncoding": "base64" }] })
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, a list of numbers up to 255, or base64")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_owned())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
            .iter()
            .find_map(|encoding| encoding.decode(text.as_bytes()).ok())
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::with_capacity(items.size_hint().unwrap_or_default().min(MOST_AT_ONCE));
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}
