//! Spans of time as text.

use std::fmt;

use ::schemars::{Schema, json_schema};
use ::serde::{Deserializer, Serializer, de};

use super::Form;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// `google.protobuf.Duration` as protobuf's own JSON has it: `1.5s`. A number of seconds is read too.
#[derive(Debug)]
pub enum Duration {}

impl Form for Duration {
    type Value = prost_types::Duration;

    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Text(i128::from(value.seconds) * NANOS_PER_SECOND + i128::from(value.nanos)))
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(Visitor)
    }

    fn schema() -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "pattern": r"^-?\d+(\.\d{1,9})?s$" }, { "type": "number" }] })
    }
}

/// Nanoseconds, as text.
struct Text(i128);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        let (seconds, rest) = (nanos / NANOS_PER_SECOND.unsigned_abs(), nanos % NANOS_PER_SECOND.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        match rest {
            0 => write!(f, "{sign}{seconds}s"),
            rest => write!(f, "{sign}{seconds}.{}s", format!("{rest:09}").trim_end_matches('0')),
        }
    }
}

/// Text as nanoseconds.
fn parse(text: &str) -> Option<i128> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |number| (-1, number));
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(seconds) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let nanos: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some(sign * (i128::from(seconds) * NANOS_PER_SECOND + nanos))
}

/// Seconds and nanoseconds have one sign.
fn split<E: de::Error>(nanos: i128) -> Result<prost_types::Duration, E> {
    let seconds = i64::try_from(nanos / NANOS_PER_SECOND).map_err(|_| E::custom("a duration is too long"))?;
    let nanos = i32::try_from(nanos % NANOS_PER_SECOND).unwrap_or_default();
    Ok(prost_types::Duration { seconds, nanos })
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = prost_types::Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds, as text that ends with `s`, or as a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        split(parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))?)
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Self::Value, E> {
        Ok(prost_types::Duration { seconds, nanos: 0 })
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
        split(i128::from(seconds) * NANOS_PER_SECOND)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Self::Value, E> {
        if !seconds.is_finite() {
            return Err(E::invalid_value(de::Unexpected::Float(seconds), &self));
        }
        // Saturates, and is then too long.
        split((seconds * 1e9).round() as i128)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::grpc::serde::Plain;

    fn read(value: serde_json::Value) -> Result<prost_types::Duration, serde_json::Error> {
        Plain::<Duration>::deserialize(value)
    }

    #[test]
    fn a_duration_is_text_and_back() {
        for (seconds, nanos, text) in [
            (0, 0, "0s"),
            (1, 500_000_000, "1.5s"),
            (-1, -500_000_000, "-1.5s"),
            (0, -1, "-0.000000001s"),
            (i64::MAX, 999_999_999, "9223372036854775807.999999999s"),
        ] {
            let duration = prost_types::Duration { seconds, nanos };
            assert_eq!(Plain::<Duration>::serialize(&duration, serde_json::value::Serializer).unwrap(), json!(text));
            assert_eq!(read(json!(text)).unwrap(), duration);
        }
        assert_eq!(read(json!(3)).unwrap(), prost_types::Duration { seconds: 3, nanos: 0 });
        assert_eq!(read(json!(-0.25)).unwrap(), prost_types::Duration { seconds: 0, nanos: -250_000_000 });
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for value in [
            json!("1.5"),
            json!("s"),
            json!("1.s"),
            json!("+1s"),
            json!("1e3s"),
            json!("0.0000000001s"),
            json!(1e30),
            json!([]),
        ] {
            let shown = value.to_string();
            assert!(read(value).is_err(), "{shown}");
        }
    }
}
