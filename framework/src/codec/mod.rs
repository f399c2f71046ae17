//! Values to bytes and back, chosen by content type. Knows nothing of services.
//!
//! MessagePack and JSON are built in and called statically; a [`Codec`] that an application registers goes through
//! `erased_serde`, which costs about four times as much.

mod any;
mod buffer;
mod custom;
mod json;
mod msgpack;
mod nesting;
mod source;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeSeed};

#[cfg(feature = "http")]
pub(crate) use self::nesting::check_json;
pub(crate) use self::source::Source;
pub use self::{
    custom::{Codec, Decode},
    nesting::MAX_DEPTH,
};
use crate::protocol::{Name, Properties, Value};

/// The content type of JSON, Nameko's default.
pub const JSON: Name = Name::from_static("application/json");
/// The content type of MessagePack, what kinoko peers speak.
pub const MSGPACK: Name = Name::from_static("application/x-msgpack");

/// One of the codecs, as a message's content type names it.
#[derive(Clone)]
pub enum Format {
    /// `application/json`, `utf-8`.
    Json,
    /// `application/x-msgpack`, `binary`. Structs travel as maps; types that have a readable form (UUIDs, addresses) travel in it.
    MessagePack,
    /// One that the application registered.
    Custom(Arc<dyn Codec>),
}

impl Format {
    /// What the message's `content_type` says.
    pub fn content_type(&self) -> Name {
        match self {
            Self::Json => JSON,
            Self::MessagePack => MSGPACK,
            Self::Custom(codec) => Name::from_static(codec.content_type()),
        }
    }

    /// What the message's `content_encoding` says: kombu's pair for the content type.
    pub fn content_encoding(&self) -> Name {
        Name::from_static(match self {
            Self::Json => "utf-8",
            Self::MessagePack => "binary",
            Self::Custom(codec) => codec.content_encoding(),
        })
    }

    /// Whether it is the codec of this content type. Parameters are ignored.
    pub(crate) fn is_of(&self, content_type: &str) -> bool {
        self.content_type() == essence(content_type)
    }

    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// When the value says so, or has no form in this codec, such as a map with lists as keys in JSON.
    pub fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Bytes, EncodeError> {
        match self {
            Self::Json => json::encode(value),
            Self::MessagePack => msgpack::encode(value),
            Self::Custom(codec) => codec.encode(&value).map(Bytes::from),
        }
    }

    /// Decodes a whole body with a seed; bytes after the value are an error.
    ///
    /// JSON is read as it is, and as Python's kombu writes it: with `NaN` and infinities, with integers of any size, and with types
    /// that JSON lacks as tagged objects. The seed is used twice where the first look was not enough.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], which tells bytes that are no message of this codec from a value of another type.
    pub fn decode_seed<'de, S>(&self, body: &'de [u8], seed: S) -> Result<S::Value, DecodeError>
    where
        S: DeserializeSeed<'de> + Clone,
    {
        self.decode_with(body, |source| source.decode(seed.clone()))
    }

    /// The same for what keeps count of its attempts.
    pub(crate) fn decode_with<'de, T>(
        &self,
        body: &'de [u8],
        mut attempt: impl FnMut(Source<'_, 'de>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        match self {
            Self::Json => json::decode(body, attempt),
            Self::MessagePack => attempt(Source::MessagePack(body)),
            Self::Custom(codec) => attempt(Source::Custom(&**codec, body)),
        }
    }

    /// Decodes a whole body into a value of one type.
    ///
    /// # Errors
    ///
    /// As [`decode_seed`](Self::decode_seed).
    pub fn decode<'de, T: serde::Deserialize<'de>>(&self, body: &'de [u8]) -> Result<T, DecodeError> {
        self.decode_seed(body, std::marker::PhantomData)
    }

    /// The same message in another codec.
    ///
    /// # Errors
    ///
    /// When the body is not of this codec, or holds what the other one cannot.
    pub fn transcode(&self, body: &[u8], to: &Self) -> crate::Result<Bytes> {
        Ok(to.encode(&self.decode_value(body)?)?)
    }

    /// Decodes a whole body of any shape, bytes as a list of numbers.
    pub(crate) fn decode_value(&self, body: &[u8]) -> Result<Value, DecodeError> {
        self.decode::<any::Any>(body).map(|any| any.0)
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.content_type() == other.content_type()
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.content_type())
    }
}

/// The codecs that a program speaks: the two built in, and those it registered.
#[derive(Debug, Clone, Default)]
pub struct Codecs {
    custom: Vec<Format>,
}

impl Codecs {
    /// Adds a codec; it answers for its content type from now on, before the built-in ones.
    pub fn register(&mut self, codec: Arc<dyn Codec>) {
        self.custom.insert(0, Format::Custom(codec));
    }

    /// The codec of a content type. Parameters (`; charset=utf-8`) are ignored.
    pub fn by_content_type(&self, content_type: &str) -> Option<Format> {
        if self.custom.is_empty()
            && let Some(format) = built_in(content_type)
        {
            return Some(format);
        }
        match self.custom.iter().find(|format| format.is_of(content_type)) {
            Some(format) => Some(format.clone()),
            None => built_in(essence(content_type)),
        }
    }

    /// The codec of a message; `None` where its content type names none.
    pub(crate) fn of(&self, properties: &Properties) -> Option<Format> {
        self.by_content_type(properties.content_type.as_deref()?)
    }
}

/// A content type without its parameters.
pub(crate) fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn built_in(content_type: &str) -> Option<Format> {
    match content_type {
        "application/x-msgpack" => Some(Format::MessagePack),
        "application/json" => Some(Format::Json),
        _ => None,
    }
}

/// A value that has no form in the codec.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(pub String);

/// Bytes that did not become the value.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct DecodeError {
    /// Whether the bytes are no message of this codec at all, rather than a value of another type.
    pub malformed: bool,
    /// What was wrong.
    pub text: String,
}
