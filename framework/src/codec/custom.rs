use serde::de::DeserializeSeed;

use super::{DecodeError, EncodeError};
use crate::protocol::excerpt;

/// A codec that an application brings, registered with [`App::codec`](crate::App::codec).
///
/// Requests in its content type are decoded by it, and their replies encoded by it.
///
/// It reads what strangers wrote: it must bound how deep a body nests, as [`MAX_DEPTH`](super::MAX_DEPTH) does for the built-in ones,
/// and must not reserve memory for a length only because the body names it.
///
/// # Examples
///
/// Another name for JSON:
///
/// ```
/// use kinoko::codec::{Codec, Decode, DecodeError, EncodeError};
///
/// struct Vendor;
///
/// impl Codec for Vendor {
///     fn content_type(&self) -> &'static str {
///         "application/vnd.shop+json"
///     }
///     fn encode(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, EncodeError> {
///         serde_json::to_vec(value).map_err(|error| EncodeError(error.to_string()))
///     }
///     fn decode<'de>(&self, body: &'de [u8], decode: Decode<'_, 'de>) -> Result<(), DecodeError> {
///         let mut deserializer = serde_json::Deserializer::from_slice(body);
///         decode(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut deserializer))
///     }
/// }
/// ```
pub trait Codec: Send + Sync + 'static {
    /// The content type that it answers for.
    fn content_type(&self) -> &'static str;

    /// Kombu's content encoding beside it: `utf-8` for text, `binary` (the default) for bytes.
    fn content_encoding(&self) -> &'static str {
        "binary"
    }

    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// When the value has no form in this codec.
    fn encode(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, EncodeError>;

    /// Calls `decode` once with a deserializer over the body, and returns its error.
    ///
    /// # Errors
    ///
    /// What `decode` returned; or malformed, when the body ends early or goes on after the value.
    fn decode<'de>(&self, body: &'de [u8], decode: Decode<'_, 'de>) -> Result<(), DecodeError>;
}

/// What [`Codec::decode`] hands its deserializer to.
pub type Decode<'a, 'de> = &'a mut dyn FnMut(&mut dyn erased_serde::Deserializer<'de>) -> Result<(), DecodeError>;

pub(super) fn decode<'de, S: DeserializeSeed<'de>>(
    codec: &dyn Codec,
    body: &'de [u8],
    seed: S,
) -> Result<S::Value, DecodeError> {
    let (mut seed, mut value) = (Some(seed), None);
    codec.decode(body, &mut |deserializer| {
        let seed = seed.take().ok_or_else(|| malformed("the codec decoded one body twice"))?;
        value = Some(decode_erased(deserializer, seed)?);
        Ok(())
    })?;
    value.ok_or_else(|| malformed("the codec decoded nothing"))
}

pub(super) fn decode_erased<'de, S: DeserializeSeed<'de>>(
    deserializer: &mut dyn erased_serde::Deserializer<'de>,
    seed: S,
) -> Result<S::Value, DecodeError> {
    seed.deserialize(deserializer).map_err(|error| DecodeError { malformed: false, text: excerpt(error) })
}

fn malformed(text: &str) -> DecodeError {
    DecodeError { malformed: true, text: text.to_owned() }
}
