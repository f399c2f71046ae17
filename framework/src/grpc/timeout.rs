//! `grpc-timeout`: how long a caller waits, as the header has it: up to eight digits and a unit.

use std::time::Duration;

pub(super) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The most that eight digits say.
const MOST: u128 = 99_999_999;

/// What the header says; `None`: it is none of the protocol's.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 60 * 60),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// As the header has it, in the finest unit that has room for it, and never longer than it is.
pub(super) fn format(timeout: Duration) -> String {
    let (nanos, micros, millis) = (timeout.as_nanos(), timeout.as_micros(), timeout.as_millis());
    match () {
        () if nanos <= MOST => format!("{nanos}n"),
        () if micros <= MOST => format!("{micros}u"),
        () if millis <= MOST => format!("{millis}m"),
        () => format!("{}S", u128::from(timeout.as_secs()).min(MOST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (timeout, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_millis(50), "50000000n"),
            (Duration::from_millis(250), "250000u"),
            (Duration::from_secs(30), "30000000u"),
            (Duration::from_secs(3600), "3600000m"),
            (Duration::from_secs(10_000_000), "10000000S"),
        ] {
            assert_eq!(format(timeout), text);
            assert_eq!(parse(text), Some(timeout));
        }
        assert_eq!(parse(&format(Duration::MAX)), Some(Duration::from_secs(99_999_999)));
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("2M"), Some(Duration::from_secs(120)));
    }

    #[test]
    fn what_is_none_of_the_protocols_is_refused() {
        for text in ["", "S", "1", "1x", "-1S", "123456789n", "1 S", "1µ", "0x1S"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
