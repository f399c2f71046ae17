//! The bodies of requests and replies.

use std::{fmt, marker::PhantomData};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor, value::UnitDeserializer},
};

use super::Fault;
use crate::codec::{DecodeError, EncodeError, Format};

#[derive(Serialize)]
struct Request<'a, A: ?Sized, K: ?Sized> {
    args: &'a A,
    kwargs: &'a K,
}

#[derive(Serialize)]
struct Reply<'a, T: ?Sized> {
    result: Option<&'a T>,
    error: Option<&'a Fault>,
}

/// The body of a request: `args` must encode as a list, `kwargs` as a map.
///
/// # Errors
///
/// When a value has no form in the codec.
pub fn encode_request<A, K>(format: &Format, args: &A, kwargs: &K) -> Result<Bytes, EncodeError>
where
    A: Serialize + ?Sized,
    K: Serialize + ?Sized,
{
    format.encode(&Request { args, kwargs })
}

/// The body of a reply. Both keys are always written, as Python clients demand.
///
/// # Errors
///
/// When the value has no form in the codec.
pub fn encode_reply<T: Serialize + ?Sized>(format: &Format, answer: Result<&T, &Fault>) -> Result<Bytes, EncodeError> {
    match answer {
        Ok(result) => format.encode(&Reply { result: Some(result), error: None }),
        Err(fault) => format.encode(&Reply::<()> { result: None, error: Some(fault) }),
    }
}

/// Reads a reply: the result where `error` is null or missing, else the fault.
///
/// # Errors
///
/// When the body is no reply, or its result is not a `T`.
pub fn decode_reply<'de, T: Deserialize<'de>>(
    format: &Format,
    body: &'de [u8],
) -> Result<Result<T, Box<Fault>>, DecodeError> {
    format.decode_seed(body, ReplySeed(PhantomData))
}

struct ReplySeed<T>(PhantomData<T>);

impl<T> Clone for ReplySeed<T> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for ReplySeed<T> {
    type Value = Result<T, Box<Fault>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ReplySeed<T> {
    type Value = Result<T, Box<Fault>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reply with `result` and `error`")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "lowercase")]
        enum Key {
            Result,
            Error,
            #[serde(other)]
            Other,
        }
        let (mut result, mut fault, mut seen) = (None, None, false);
        while let Some(key) = map.next_key()? {
            match key {
                Key::Result => {
                    seen = true;
                    // Null is not yet a `T`: beside an error it only fills the place.
                    result = map.next_value::<Option<T>>()?;
                }
                Key::Error => fault = map.next_value::<Option<Box<Fault>>>()?,
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (fault, result) {
            (Some(fault), _) => Ok(Err(fault)),
            (None, Some(result)) => Ok(Ok(result)),
            (None, None) if seen => Ok(Ok(T::deserialize(UnitDeserializer::<M::Error>::new())?)),
            (None, None) => Err(M::Error::missing_field("result")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply<T: for<'de> Deserialize<'de>>(body: &str) -> Result<Result<T, Box<Fault>>, DecodeError> {
        decode_reply(&Format::Json, body.as_bytes())
    }

    #[test]
    fn a_null_result_is_a_unit_or_a_none_but_no_number() {
        assert!(reply::<()>(r#"{"result": null, "error": null}"#).unwrap().is_ok());
        assert_eq!(reply::<Option<u32>>(r#"{"result": null, "error": null}"#).unwrap().unwrap(), None);
        assert!(reply::<u32>(r#"{"result": null, "error": null}"#).is_err());
    }

    #[test]
    fn keys_come_in_any_order_and_the_error_may_be_missing() {
        let fault = reply::<u32>(r#"{"error": {"exc_type": "ValueError", "value": "boom"}, "result": null}"#);
        assert_eq!(fault.unwrap().unwrap_err().to_string(), "ValueError: boom");
        assert_eq!(reply::<u32>(r#"{"result": 7, "trace": [1]}"#).unwrap().unwrap(), 7);
        assert!(reply::<u32>(r#"{"error": null}"#).is_err());
    }

    #[test]
    fn both_codecs_agree_on_a_reply() {
        for format in [Format::Json, Format::MessagePack] {
            let body = encode_reply(&format, Ok(&vec![1u8, 2])).unwrap();
            assert_eq!(decode_reply::<Vec<u8>>(&format, &body).unwrap().unwrap(), [1, 2]);
        }
    }
}
