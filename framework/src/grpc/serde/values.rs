//! `google.protobuf.Value` and its parts, as the values that they stand for.

use std::{collections::BTreeMap, fmt};

use ::schemars::{Schema, json_schema};
use ::serde::{Deserialize, Deserializer, Serializer, de};
use prost_types::value::Kind;

use super::{Form, Own, Ref};

/// Up to here all whole numbers are themselves as `f64`.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Any value. Numbers are those of JavaScript, so that large whole numbers lose digits.
#[derive(Debug)]
pub enum Value {}

/// An object: values by their names.
#[derive(Debug)]
pub enum Struct {}

/// A list of values.
#[derive(Debug)]
pub enum ListValue {}

impl Form for Value {
    type Value = prost_types::Value;

    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        match &value.kind {
            None | Some(Kind::NullValue(_)) => serializer.serialize_unit(),
            Some(Kind::BoolValue(value)) => serializer.serialize_bool(*value),
            Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() <= MOST_EXACT => {
                serializer.serialize_i64(*number as i64)
            }
            Some(Kind::NumberValue(number)) => serializer.serialize_f64(*number),
            Some(Kind::StringValue(text)) => serializer.serialize_str(text),
            Some(Kind::StructValue(value)) => Struct::serialize(value, serializer),
            Some(Kind::ListValue(value)) => ListValue::serialize(value, serializer),
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(Visitor)
    }

    fn schema() -> Schema {
        json_schema!(true)
    }
}

impl Form for Struct {
    type Value = prost_types::Struct;

    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(value.fields.iter().map(|(name, value)| (name, Ref::<Value>(value))))
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        let fields = BTreeMap::<String, Own<Value>>::deserialize(deserializer)?;
        Ok(prost_types::Struct { fields: fields.into_iter().map(|(name, value)| (name, value.0)).collect() })
    }

    fn schema() -> Schema {
        json_schema!({ "type": "object" })
    }
}

impl Form for ListValue {
    type Value = prost_types::ListValue;

    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(value.values.iter().map(Ref::<Value>))
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        let values = Vec::<Own<Value>>::deserialize(deserializer)?;
        Ok(prost_types::ListValue { values: values.into_iter().map(|value| value.0).collect() })
    }

    fn schema() -> Schema {
        json_schema!({ "type": "array", "items": true })
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = prost_types::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, a number, a text, a list or a map with texts as keys")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(of(Kind::NullValue(0)))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(of(Kind::BoolValue(value)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(of(Kind::NumberValue(number)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(of(Kind::StringValue(text.to_owned())))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        ListValue::deserialize(de::value::SeqAccessDeserializer::new(items)).map(|list| of(Kind::ListValue(list)))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        Struct::deserialize(de::value::MapAccessDeserializer::new(entries)).map(|object| of(Kind::StructValue(object)))
    }
}

fn of(kind: Kind) -> prost_types::Value {
    prost_types::Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::grpc::serde::Plain;

    #[test]
    fn a_value_is_what_it_stands_for() {
        for value in
            [json!(null), json!(true), json!(17), json!(-0.5), json!("text"), json!([1, [], {"a": {"b": [null]}}])]
        {
            let read: prost_types::Value = Plain::<Value>::deserialize(value.clone()).unwrap();
            assert_eq!(Plain::<Value>::serialize(&read, serde_json::value::Serializer).unwrap(), value);
        }
    }
}
