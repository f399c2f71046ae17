//! What Python's JSON holds, to be decoded into any type as `serde_json` decodes a body.

use std::fmt;

use serde::{
    de::{
        Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Number};

/// A value of a body in JSON. Unlike [`Value`](crate::protocol::Value) it tells bytes from a list, and has `NaN`.
#[derive(Debug)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    /// `NaN` or an infinity.
    NoNumber(f64),
    /// The digits of an integer beyond 64 bits.
    BigInteger(String),
    Text(String),
    /// Decode as bytes, as a list, or as a text if they are one.
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl<'de> Deserializer<'de> for Tree {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(number) => number.deserialize_any(visitor),
            Self::NoNumber(value) => visitor.visit_f64(value),
            Self::BigInteger(digits) => match digits.parse::<f64>() {
                Ok(value) if value.is_finite() => visitor.visit_f64(value),
                _ => Err(too_big(&digits, &visitor)),
            },
            Self::Text(text) => visitor.visit_string(text),
            Self::Bytes(bytes) => seq(bytes, visitor),
            Self::List(items) => seq(items, visitor),
            Self::Map(entries) => {
                let mut map = map(entries);
                let value = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Text(variant) => visitor.visit_enum(variant.into_deserializer()),
            Self::Map(entries) if entries.len() == 1 => {
                MapAccessDeserializer::new(map(entries)).deserialize_enum(name, variants, visitor)
            }
            Self::Map(_) => Err(Error::invalid_value(Unexpected::Map, &"map with a single key")),
            other => Err(other.invalid_type("string or map")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Bytes(bytes) => match String::from_utf8(bytes) {
                Ok(text) => visitor.visit_string(text),
                Err(error) => visitor.visit_byte_buf(error.into_bytes()),
            },
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Bytes(bytes) => visitor.visit_byte_buf(bytes),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::BigInteger(digits) => match digits.parse() {
                Ok(value) => visitor.visit_i128(value),
                Err(_) => Err(too_big(&digits, &visitor)),
            },
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::BigInteger(digits) => match digits.parse() {
                Ok(value) => visitor.visit_u128(value),
                Err(_) => Err(too_big(&digits, &visitor)),
            },
            other => other.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

impl Tree {
    fn invalid_type(&self, expected: &str) -> Error {
        let unexpected = match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Number(_) | Self::BigInteger(_) => Unexpected::Other("number"),
            Self::NoNumber(value) => Unexpected::Float(*value),
            Self::Text(text) => Unexpected::Str(text),
            Self::Bytes(bytes) => Unexpected::Bytes(bytes),
            Self::List(_) => Unexpected::Seq,
            Self::Map(_) => Unexpected::Map,
        };
        Error::invalid_type(unexpected, &expected)
    }
}

fn too_big<'de>(digits: &str, expected: &impl Visitor<'de>) -> Error {
    struct Expected<'a, V>(&'a V);
    impl<'de, V: Visitor<'de>> fmt::Display for Expected<'_, V> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.expecting(f)
        }
    }
    let digits = digits.trim_start_matches('-').len();
    Error::custom(format_args!("invalid value: an integer of {digits} digits, expected {}", Expected(expected)))
}

fn seq<'de, T, V: Visitor<'de>>(items: Vec<T>, visitor: V) -> Result<V::Value, Error>
where
    T: IntoDeserializer<'de, Error>,
{
    let mut seq = SeqDeserializer::new(items.into_iter());
    let value = visitor.visit_seq(&mut seq)?;
    seq.end()?;
    Ok(value)
}

fn map<'de>(entries: Vec<(String, Tree)>) -> MapDeserializer<'de, impl Iterator<Item = (Key, Tree)>, Error> {
    MapDeserializer::new(entries.into_iter().map(|(key, value)| (Key(key), value)))
}

impl IntoDeserializer<'_, Error> for Tree {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// A key of an object. JSON's are texts; a map by number or truth value has them read, as `serde_json` does.
struct Key(String);

macro_rules! read_from_text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let mut key = serde_json::Deserializer::from_reader(self.0.as_bytes());
            let value = (&mut key).$method(visitor)?;
            key.end()?;
            Ok(value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Key {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    read_from_text! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        StringDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Key {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fmt::Debug};

    use serde::{Deserialize, de::DeserializeOwned};
    use serde_json::Value;

    use crate::codec::{DecodeError, Format, json::parse::parse};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Line {
        sku: String,
        #[serde(default)]
        count: Option<u8>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(u8);

    #[derive(Debug, PartialEq, Deserialize)]
    enum Shape {
        Point,
        Round(f32),
        Pair(u8, String),
        Box { width: u8 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Event {
        Paid { cents: u64 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i32),
        Text(String),
    }

    #[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
    }

    /// The tree and `serde_json` make the same of a text, an error included.
    #[track_caller]
    fn same<T: DeserializeOwned + Debug + PartialEq>(text: &str) {
        let own = T::deserialize(parse(text.as_bytes()).unwrap()).map_err(|error| error.to_string());
        let theirs = serde_json::from_str::<T>(text).map_err(|error| {
            let text = error.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        });
        assert_eq!(own, theirs, "{text}");
    }

    #[test]
    fn a_tree_decodes_as_serde_json_does() {
        same::<Value>(r#"{"a": [1, -1, 1.5, null, true, "x"], "b": {"c": 18446744073709551616}}"#);
        same::<Vec<Line>>(r#"[{"sku": "A", "count": 2}, {"sku": "B", "count": null, "more": [1]}, {"sku": "C"}]"#);
        same::<Line>(r#"{"count": 1}"#);
        same::<Line>(r#"{"sku": 1}"#);
        same::<Line>("[1]");
        same::<Vec<Wrapped>>("[1, 2]");
        same::<Vec<Shape>>(r#"["Point", {"Round": 1.5}, {"Pair": [1, "x"]}, {"Box": {"width": 3}}]"#);
        same::<Shape>(r#""Nothing""#);
        same::<Event>(r#"{"kind": "paid", "cents": 5}"#);
        same::<Vec<Either>>(r#"[1, "x"]"#);
        same::<Option<Option<u8>>>("null");
        same::<(u8, String, [u8; 2])>(r#"[1, "x", [2, 3]]"#);
        same::<(u8, u8)>("[1]");
        same::<HashMap<u32, u8>>(r#"{"1": 1, "2": 2}"#);
        same::<HashMap<bool, u8>>(r#"{"true": 1}"#);
        same::<HashMap<Color, u8>>(r#"{"red": 1}"#);
        same::<HashMap<String, u8>>(r#"{"red": 1}"#);
        same::<()>("null");
        same::<char>(r#""x""#);
        same::<u8>("256");
        same::<f64>("1e3");
        same::<f64>("1267650600228229401496703205376");
        same::<u64>("1267650600228229401496703205376");
        same::<u128>("1267650600228229401496703205376");
        same::<i128>("-1267650600228229401496703205376");
        same::<std::net::IpAddr>(r#""::1""#);
        assert!(HashMap::<u32, u8>::deserialize(parse(br#"{"one": 1}"#).unwrap()).is_err());
        assert!(Shape::deserialize(parse(br#"{"Round": 1, "Pair": 2}"#).unwrap()).is_err());
        assert!(<(u8, u8)>::deserialize(parse(b"[1, 2, 3]").unwrap()).is_err());
    }

    fn json<T: DeserializeOwned>(body: &str) -> Result<T, DecodeError> {
        Format::Json.decode(body.as_bytes())
    }

    #[test]
    fn python_values_become_the_types_that_are_asked_for() {
        assert!(json::<f64>("NaN").unwrap().is_nan());
        assert_eq!(json::<Vec<f32>>("[Infinity, -Infinity, 1]").unwrap(), [f32::INFINITY, f32::NEG_INFINITY, 1.0]);
        assert!(json::<Option<f64>>("NaN").unwrap().is_some_and(f64::is_nan));
        assert_eq!(json::<Value>(r#"["NaN", NaN]"#).unwrap(), serde_json::json!(["NaN", null]));
        assert_eq!(json::<u128>(&(1u128 << 100).to_string()).unwrap(), 1 << 100);
        assert_eq!(json::<Value>(&(1u128 << 100).to_string()).unwrap(), (1u128 << 100) as f64);
        let huge = "9".repeat(400);
        for text in [
            json::<u64>(&huge).unwrap_err().text,
            json::<u128>(&huge).unwrap_err().text,
            json::<f64>(&huge).unwrap_err().text,
            json::<Value>(&huge).unwrap_err().text,
        ] {
            assert!(text.starts_with("invalid value: an integer of 400 digits, expected "), "{text}");
        }
    }

    #[test]
    fn tagged_values_become_the_types_that_are_asked_for() {
        let tagged = |kind: &str, value: &str| format!(r#"{{"__type__": "{kind}", "__value__": {value}}}"#);
        let id = tagged("uuid", r#"{"hex": "00000000000000000000000000000005"}"#);
        assert_eq!(json::<String>(&id).unwrap(), "00000000-0000-0000-0000-000000000005");
        for kind in ["datetime", "date", "time", "decimal"] {
            assert_eq!(json::<String>(&tagged(kind, r#""text""#)).unwrap(), "text");
            assert_eq!(json::<Value>(&tagged(kind, r#""text""#)).unwrap(), "text");
        }
        let swapped = r#"[{"__value__": "1.5", "__type__": "decimal"}]"#;
        assert_eq!(json::<Vec<String>>(swapped).unwrap(), ["1.5"]);

        let text = tagged("bytes", r#""h\u00e9""#);
        assert_eq!(json::<String>(&text).unwrap(), "hé");
        assert_eq!(json::<Vec<u8>>(&text).unwrap(), "hé".as_bytes());
        assert_eq!(json::<serde_bytes::ByteBuf>(&text).unwrap(), "hé".as_bytes());
        let bytes = tagged("base64", r#""/wA=""#);
        assert_eq!(json::<Vec<u8>>(&bytes).unwrap(), [255, 0]);
        assert_eq!(json::<serde_bytes::ByteBuf>(&bytes).unwrap(), [255, 0]);
        assert_eq!(json::<[u8; 2]>(&bytes).unwrap(), [255, 0]);
        assert_eq!(json::<Value>(&bytes).unwrap(), serde_json::json!([255, 0]));
        assert!(json::<String>(&bytes).unwrap_err().text.contains("byte array"));
    }

    #[test]
    fn what_is_not_kombus_tag_stays_an_object() {
        for body in [
            r#"{"__type__": "color", "__value__": "red"}"#,
            r#"{"__type__": "date", "__value__": 5}"#,
            r#"{"__type__": "uuid", "__value__": {"hex": "no"}}"#,
            r#"{"__type__": "uuid", "__value__": {"int": 5}}"#,
            r#"{"__type__": "base64", "__value__": "?"}"#,
            r#"{"__type__": "date", "__value__": "2020-01-02", "more": 1}"#,
            r#"{"__type__": "date"}"#,
            r#"{"__type__": 1, "__value__": 2}"#,
            r#"["__type__"]"#,
        ] {
            assert_eq!(json::<Value>(body).unwrap(), serde_json::from_str::<Value>(body).unwrap(), "{body}");
        }
        let error = json::<Value>(r#"{"__type__": "date", "#).unwrap_err();
        assert!(error.malformed && error.text.starts_with("EOF while parsing"), "{error:?}");
    }
}
