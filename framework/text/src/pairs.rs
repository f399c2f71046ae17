use std::time::Duration;

use crate::parse_duration;

/// Reads how often something may be: `100/s`, `6000/m`, `50/200ms`. Gives how many, and in how long.
///
/// # Errors
///
/// A text that says what to write.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// assert_eq!(kinoko_text::parse_rate("50/200ms"), Ok((50, Duration::from_millis(200))));
/// ```
pub fn parse_rate(text: &str) -> Result<(u32, Duration), String> {
    let wrong = || format!("`{text}` is no rate: write calls and a time, `100/s` or `50/200ms`");
    let (calls, per) = text.split_once('/').ok_or_else(wrong)?;
    let calls = calls.trim().parse().map_err(|_| wrong())?;
    let per = per.trim();
    let per = if per.starts_with(|first: char| first.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
    let per = parse_duration(&per).map_err(|_| wrong())?;
    Ok((calls, per))
}

/// Reads two durations, the shorter one first: `50ms..2s`, or `1s` for both.
///
/// # Errors
///
/// A text that says what to write.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// assert_eq!(kinoko_text::parse_backoff("50ms..2s"), Ok((Duration::from_millis(50), Duration::from_secs(2))));
/// ```
pub fn parse_backoff(text: &str) -> Result<(Duration, Duration), String> {
    let (first, longest) = text.split_once("..").unwrap_or((text, text));
    Ok((parse_duration(first)?, parse_duration(longest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_time() {
        assert_eq!(parse_rate("100/s"), Ok((100, Duration::from_secs(1))));
        assert_eq!(parse_rate(" 10 / h "), Ok((10, Duration::from_secs(3_600))));
        for text in ["", "100", "100/", "s/100", "-1/s", "1.5/s", "100/parsec"] {
            assert!(parse_rate(text).unwrap_err().contains("is no rate"), "{text}");
        }
    }

    #[test]
    fn one_duration_stands_for_both() {
        assert_eq!(parse_backoff("1s"), Ok((Duration::from_secs(1), Duration::from_secs(1))));
        assert_eq!(parse_backoff("50ms .. 2s"), Ok((Duration::from_millis(50), Duration::from_secs(2))));
        for text in ["", "1..2s", "1s..", "..1s"] {
            assert!(parse_backoff(text).is_err(), "{text}");
        }
    }
}
