//! Points in time as text.

use ::schemars::{Schema, json_schema};
use ::serde::{Deserializer, Serializer, de, ser};

use super::Form;

const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// `google.protobuf.Timestamp` as RFC 3339 has it, in UTC: `2026-11-28T22:15:00.5Z`. Other offsets are read too.
#[derive(Debug)]
pub enum Timestamp {}

impl Form for Timestamp {
    type Value = prost_types::Timestamp;

    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::new(value.seconds, value.nanos).map_err(ser::Error::custom)?;
        serializer.collect_str(&time)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        let text = <std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        let (seconds, nanos) = (time.as_second(), time.subsec_nanosecond());
        // Protobuf counts nanoseconds forward, before 1970 too.
        Ok(match nanos < 0 {
            true => Self::Value { seconds: seconds - 1, nanos: nanos + NANOS_PER_SECOND },
            false => Self::Value { seconds, nanos },
        })
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::grpc::serde::Plain;

    #[test]
    fn a_time_is_text_and_back() {
        for (seconds, nanos, text) in [
            (1_795_904_100, 0, "2026-11-28T22:15:00Z"),
            (1_795_904_100, 500_000_000, "2026-11-28T22:15:00.5Z"),
            (-1, 750_000_000, "1969-12-31T23:59:59.75Z"),
            (0, 1, "1970-01-01T00:00:00.000000001Z"),
        ] {
            let time = prost_types::Timestamp { seconds, nanos };
            assert_eq!(Plain::<Timestamp>::serialize(&time, serde_json::value::Serializer).unwrap(), json!(text));
            let read: prost_types::Timestamp = Plain::<Timestamp>::deserialize(json!(text)).unwrap();
            assert_eq!(read, time);
        }
        let elsewhere: prost_types::Timestamp =
            Plain::<Timestamp>::deserialize(json!("2026-11-28T23:15:00+01:00")).unwrap();
        assert_eq!(elsewhere.seconds, 1_795_904_100);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for value in [json!("soon"), json!(17), json!(""), Value::Null] {
            Plain::<Timestamp>::deserialize::<prost_types::Timestamp, _>(value).unwrap_err();
        }
        let never = prost_types::Timestamp { seconds: i64::MAX, nanos: i32::MIN };
        Plain::<Timestamp>::serialize(&never, serde_json::value::Serializer).unwrap_err();
    }
}
