use bytes::Bytes;
use rmp_serde::decode::Error;
use serde::{Deserialize, Serialize, de::DeserializeSeed, de::IgnoredAny};

use super::{DecodeError, EncodeError, buffer};

/// As deep as `serde_json` goes, so that what one codec takes the other takes too.
const MAX_DEPTH: usize = 128;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    buffer::write(|buffer| {
        value.serialize(&mut rmp_serde::Serializer::new(buffer).with_struct_map().with_human_readable())
    })
    .map_err(|error| EncodeError(error.to_string()))
}

pub(super) fn decode<'de, S: DeserializeSeed<'de>>(body: &'de [u8], seed: S) -> Result<S::Value, DecodeError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    let value = seed.deserialize(&mut deserializer).map_err(refuse)?;
    // The decoder stops after one value; nothing may follow it.
    match IgnoredAny::deserialize(&mut deserializer) {
        Err(Error::InvalidMarkerRead(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(value),
        _ => Err(DecodeError { malformed: true, text: "bytes after the end of the message".to_owned() }),
    }
}

#[cold]
fn refuse(error: Error) -> DecodeError {
    let malformed = matches!(
        error,
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) | Error::DepthLimitExceeded | Error::Utf8Error(_)
    );
    DecodeError { malformed, text: error.to_string() }
}
