//! JSON, also as Python's peers write it.
//!
//! Python's `json` writes `NaN` and integers of any size; kombu writes types that JSON lacks as objects with a tag. What is in
//! neither form pays for one search of the body; the rest is read into a [`Tree`] first.

mod parse;
mod tags;
mod tree;

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::{Serialize, de::DeserializeSeed};

pub(super) use self::tree::Tree;
use super::{DecodeError, EncodeError, buffer, nesting::check_json, source::Source};
use crate::protocol::excerpt;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    buffer::write(|buffer| serde_json::to_writer(buffer, value)).map_err(|error| EncodeError(error.to_string()))
}

/// Decodes as JSON is, where it is; else, with a second attempt, as Python writes it.
pub(super) fn decode<'de, T>(
    body: &'de [u8],
    mut attempt: impl FnMut(Source<'_, 'de>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    check_json(body)?;
    // Not left to a first attempt that fails: a dynamic value would take a tagged object as it is.
    if has_tags(body) {
        let tree = parse::parse(body).ok_or_else(|| DecodeError {
            malformed: true,
            text: syntax_error(body).unwrap_or_else(|| "not JSON".to_owned()),
        })?;
        return attempt(Source::Tree(tree));
    }
    match attempt(Source::Json(body)) {
        Err(error) if error.malformed => match parse::parse(body) {
            Some(tree) => attempt(Source::Tree(tree)),
            None => Err(error),
        },
        decided => decided,
    }
}

pub(super) fn decode_plain<'de, S: DeserializeSeed<'de>>(body: &'de [u8], seed: S) -> Result<S::Value, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = seed.deserialize(&mut deserializer).map_err(refuse)?;
    deserializer.end().map_err(refuse)?;
    Ok(value)
}

fn has_tags(body: &[u8]) -> bool {
    static TAG: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(tags::KEY_IN_JSON));
    TAG.find(body).is_some()
}

#[cold]
fn syntax_error(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).err().map(|error| excerpt(&error))
}

#[cold]
fn refuse(error: serde_json::Error) -> DecodeError {
    let mut text = excerpt(&error);
    let malformed = error.is_syntax() || error.is_eof();
    if !malformed {
        // A place in the body means nothing to a caller who sent arguments.
        if let Some(end) = text.rfind(" at line ") {
            text.truncate(end);
        }
    }
    DecodeError { malformed, text }
}
