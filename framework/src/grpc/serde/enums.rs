//! Enums by the names of their values.

use std::{fmt, marker::PhantomData};

use ::schemars::{Schema, json_schema};
use ::serde::{Deserializer, Serializer, de};

use super::Form;

/// An enum of a `.proto` file. `kinoko-build` implements it.
pub trait ProtoEnum {
    /// The names of its values, as the file has them.
    const NAMES: &'static [&'static str];

    /// The name of a value, if it has one.
    fn name(number: i32) -> Option<&'static str>;

    /// The value of a name.
    fn number(name: &str) -> Option<i32>;
}

/// A value's name where it has one, and else its number; both are read.
pub struct Enum<E>(PhantomData<E>);

impl<E> fmt::Debug for Enum<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enum")
    }
}

impl<E: ProtoEnum> Form for Enum<E> {
    type Value = i32;

    fn serialize<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        match E::name(*value) {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_i32(*value),
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        deserializer.deserialize_any(Values::<E>(PhantomData))
    }

    fn schema() -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "enum": E::NAMES }, { "type": "integer", "format": "int32" }] })
    }
}

struct Values<E>(PhantomData<E>);

impl<E: ProtoEnum> de::Visitor<'_> for Values<E> {
    type Value = i32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name or the number of a value")
    }

    fn visit_str<R: de::Error>(self, name: &str) -> Result<i32, R> {
        E::number(name).ok_or_else(|| R::unknown_variant(name, E::NAMES))
    }

    fn visit_i64<R: de::Error>(self, number: i64) -> Result<i32, R> {
        i32::try_from(number).map_err(|_| R::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_u64<R: de::Error>(self, number: u64) -> Result<i32, R> {
        i32::try_from(number).map_err(|_| R::invalid_value(de::Unexpected::Unsigned(number), &self))
    }
}
