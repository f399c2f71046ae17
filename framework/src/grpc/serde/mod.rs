//! Fields of messages beside gRPC, in JSON and MessagePack, where serde would not do with them what everybody expects.
//!
//! Code of `kinoko-build` names what is here by `#[serde(with = …)]`: what holds the values, [`Optional`], and their form, [`Timestamp`].

mod bytes;
mod duration;
mod enums;
mod schema;
mod timestamp;
mod values;

use std::{collections::HashMap, fmt, hash::Hash, marker::PhantomData};

/// For messages that derive their schema.
pub use ::schemars;
use ::schemars::Schema;
use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::{
    bytes::Bytes,
    duration::Duration,
    enums::{Enum, ProtoEnum},
    timestamp::Timestamp,
    values::{ListValue, Struct, Value},
};

/// How values of one type are written and read.
pub trait Form {
    /// The type, as prost has it.
    type Value;

    /// Writes one.
    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads one.
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error>;

    /// What it looks like.
    fn schema() -> Schema;
}

/// What a field holds in a form.
macro_rules! containers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name<F>(PhantomData<F>);

        impl<F> fmt::Debug for $name<F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}

containers! {
    /// A value.
    Plain;
    /// A value, or null.
    Optional;
    /// A list of values.
    Repeated;
    /// Values by their keys.
    MapValues;
}

/// A value, to be written in its form.
struct Ref<'a, F: Form>(&'a F::Value);

impl<F: Form> Serialize for Ref<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        F::serialize(self.0, serializer)
    }
}

/// A value that was read in its form.
struct Own<F: Form>(F::Value);

impl<'de, F: Form> Deserialize<'de> for Own<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        F::deserialize(deserializer).map(Self)
    }
}

/// Values are asked for by reference, boxed or not: a message that holds itself is.
#[doc(hidden)]
pub trait Held<T>: Sized {
    fn held(&self) -> &T;
    fn of(value: T) -> Self;
}

impl<T> Held<T> for T {
    fn held(&self) -> &T {
        self
    }

    fn of(value: T) -> Self {
        value
    }
}

impl<T> Held<T> for Box<T> {
    fn held(&self) -> &T {
        self
    }

    fn of(value: T) -> Self {
        Self::new(value)
    }
}

#[allow(clippy::missing_errors_doc, reason = "errors are the format's")]
impl<F: Form> Plain<F> {
    /// Writes it.
    pub fn serialize<H: Held<F::Value>, S: Serializer>(value: &H, serializer: S) -> Result<S::Ok, S::Error> {
        F::serialize(value.held(), serializer)
    }

    /// Reads it.
    pub fn deserialize<'de, H: Held<F::Value>, D: Deserializer<'de>>(deserializer: D) -> Result<H, D::Error> {
        F::deserialize(deserializer).map(H::of)
    }
}

#[allow(clippy::missing_errors_doc, reason = "errors are the format's")]
impl<F: Form> Optional<F> {
    /// Writes it, or null.
    #[allow(clippy::ref_option, reason = "as serde calls it")]
    pub fn serialize<H: Held<F::Value>, S: Serializer>(value: &Option<H>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(|value| Ref::<F>(value.held())).serialize(serializer)
    }

    /// Reads it, or null.
    pub fn deserialize<'de, H: Held<F::Value>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<H>, D::Error> {
        Ok(Option::<Own<F>>::deserialize(deserializer)?.map(|value| H::of(value.0)))
    }
}

#[allow(clippy::missing_errors_doc, reason = "errors are the format's")]
impl<F: Form> Repeated<F> {
    /// Writes them.
    #[allow(clippy::ptr_arg, reason = "as serde calls it")]
    pub fn serialize<S: Serializer>(values: &Vec<F::Value>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Ref::<F>))
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<F::Value>, D::Error> {
        Ok(Vec::<Own<F>>::deserialize(deserializer)?.into_iter().map(|value| value.0).collect())
    }
}

#[allow(clippy::missing_errors_doc, clippy::implicit_hasher, reason = "errors are the format's, maps are prost's")]
impl<F: Form> MapValues<F> {
    /// Writes them.
    pub fn serialize<K: Serialize, S: Serializer>(
        values: &HashMap<K, F::Value>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(values.iter().map(|(key, value)| (key, Ref::<F>(value))))
    }

    /// Reads them.
    pub fn deserialize<'de, K, D>(deserializer: D) -> Result<HashMap<K, F::Value>, D::Error>
    where
        K: Deserialize<'de> + Eq + Hash,
        D: Deserializer<'de>,
    {
        let values = HashMap::<K, Own<F>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|(key, value)| (key, value.0)).collect())
    }
}
