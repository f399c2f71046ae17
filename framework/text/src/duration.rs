use std::time::Duration;

/// The longest time that brokers keep a message before they deliver it: 24 days, 20 hours and a half.
pub const MAX_DELAY: Duration = Duration::from_millis((1 << 31) - 1);

const UNITS: [(&str, f64); 7] =
    [("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

/// Reads a duration as people write it: `2s`, `150ms`, `1m 30s`, `1.5h`. Units: `ns us ms s m h d`.
///
/// # Errors
///
/// A text that says what is wrong, and what to write.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// assert_eq!(kinoko_text::parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
/// assert!(kinoko_text::parse_duration("2 parsecs").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = |why: &str| {
        format!("`{text}` is no duration{why}; write `2s`, `150ms` or `1m 30s` (units: ns, us, ms, s, m, h, d)")
    };
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong(""));
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong(""))?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let unit = &rest[..letters];
        if unit.is_empty() {
            return Err(wrong(": its unit is missing"));
        }
        let Some((_, seconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(wrong(&format!(": unknown unit `{unit}`")));
        };
        let part = Duration::try_from_secs_f64(number * seconds).ok();
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(|| wrong(": it is too long"))?;
        rest = rest[letters..].trim_start();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_numbers_with_units() {
        assert_eq!(parse_duration("150ms"), Ok(Duration::from_millis(150)));
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("0.5h"), Ok(Duration::from_secs(1_800)));
    }

    #[test]
    fn refuses_everything_else() {
        for text in ["", "5", "2 parsecs", "s", "-1s", "1..2s", "99999999999999999d", "1s,2s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("2 parsecs").unwrap_err().contains("unknown unit `parsecs`"));
    }
}
