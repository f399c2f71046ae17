//! `"2s"`, `"150ms"`, `"1m 30s"`.

use std::time::Duration;

const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Reads whole numbers, each with its unit.
///
/// The framework reads settings by the same rules.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = |why: &str| {
        Err(format!("`{text}` is no duration{why}; write `2s`, `150ms` or `1m 30s` (units: ns, us, ms, s, m, h, d)"))
    };
    let mut rest = text.trim();
    let mut nanos: u64 = 0;
    if rest.is_empty() {
        return wrong("");
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let Ok(count) = rest[..digits].parse::<u64>() else { return wrong("") };
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let unit = &rest[..letters];
        if unit.is_empty() {
            return wrong(": its unit is missing");
        }
        let Some((_, size)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return wrong(&format!(": unknown unit `{unit}`"));
        };
        let Some(sum) = count.checked_mul(*size).and_then(|part| nanos.checked_add(part)) else {
            return wrong(": it is too long");
        };
        nanos = sum;
        rest = rest[letters..].trim_start();
    }
    Ok(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_numbers_with_units() {
        assert_eq!(parse("150ms"), Ok(Duration::from_millis(150)));
        assert_eq!(parse("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1h5us"), Ok(Duration::from_secs(3600) + Duration::from_micros(5)));
    }

    #[test]
    fn refuses_everything_else() {
        for text in ["", "5", "2 parsecs", "s", "-1s", "1.5s", "99999999999d", "1s,2s"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("2 parsecs").unwrap_err().contains("unknown unit `parsecs`"));
    }
}
