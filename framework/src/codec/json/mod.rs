use bytes::Bytes;
use serde::{Serialize, de::DeserializeSeed};

use super::{DecodeError, EncodeError, buffer};

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    buffer::write(|buffer| serde_json::to_writer(buffer, value)).map_err(|error| EncodeError(error.to_string()))
}

pub(super) fn decode<'de, S: DeserializeSeed<'de>>(body: &'de [u8], seed: S) -> Result<S::Value, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = seed.deserialize(&mut deserializer).map_err(refuse)?;
    deserializer.end().map_err(refuse)?;
    Ok(value)
}

#[cold]
fn refuse(error: serde_json::Error) -> DecodeError {
    let mut text = error.to_string();
    let malformed = error.is_syntax() || error.is_eof();
    if !malformed {
        // A place in the body means nothing to a caller who sent arguments.
        if let Some(end) = text.rfind(" at line ") {
            text.truncate(end);
        }
    }
    DecodeError { malformed, text }
}
