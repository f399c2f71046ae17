//! One field of a body, without a tree of the rest.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::Value;
use crate::codec::Format;

/// The value at a path of fields, `order.customer`; `None` where there is none, or the body cannot be read.
pub(crate) fn value_at(format: &Format, body: &[u8], path: &str) -> Option<Value> {
    format.decode_seed(body, At(Some(path))).ok()?
}

/// Reads the value at a path; without one the value itself.
#[derive(Clone, Copy)]
struct At<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            Some(path) => deserializer.deserialize_any(Field(path)),
            None => Value::deserialize(deserializer).map(Some),
        }
    }
}

struct Field<'a>(&'a str);

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map with the field `{}`", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (field, rest) = match self.0.split_once('.') {
            Some((field, rest)) => (field, Some(rest)),
            None => (self.0, None),
        };
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == field {
                found = map.next_value_seed(At(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_found_by_its_path() {
        let body = json!({"a": [1, {"x": 2}], "order": {"customer": "Ada", "n": null}, "x": 7});
        for format in [Format::Json, Format::MessagePack] {
            let body = format.encode(&body).unwrap();
            let at = |path| value_at(&format, &body, path);
            assert_eq!(at("x"), Some(json!(7)));
            assert_eq!(at("order.customer"), Some(json!("Ada")));
            assert_eq!(at("order"), Some(json!({"customer": "Ada", "n": null})));
            for missing in ["y", "x.y", "a.x", "order.y", "order.customer.y"] {
                assert_eq!(at(missing), None, "{missing}");
            }
        }
        for body in ["", "[1, 2]", "\"text\"", "{\"x\":"] {
            assert_eq!(value_at(&Format::Json, body.as_bytes(), "x"), None, "{body}");
        }
    }
}
