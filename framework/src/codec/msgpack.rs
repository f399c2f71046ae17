use bytes::Bytes;
use rmp_serde::decode::Error;
use serde::{Serialize, de::DeserializeSeed};

use super::{DecodeError, EncodeError, buffer, nesting::check_msgpack};
use crate::protocol::excerpt;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    buffer::write(|buffer| {
        value.serialize(&mut rmp_serde::Serializer::new(buffer).with_struct_map().with_human_readable())
    })
    .map_err(|error| EncodeError(error.to_string()))
}

pub(super) fn decode<'de, S: DeserializeSeed<'de>>(body: &'de [u8], seed: S) -> Result<S::Value, DecodeError> {
    check_msgpack(body)?;
    seed.deserialize(&mut rmp_serde::Deserializer::from_read_ref(body).with_human_readable()).map_err(refuse)
}

#[cold]
fn refuse(error: Error) -> DecodeError {
    let malformed = matches!(
        error,
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) | Error::DepthLimitExceeded | Error::Utf8Error(_)
    );
    DecodeError { malformed, text: excerpt(error) }
}
