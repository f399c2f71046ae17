use std::time::Duration;

/// Reads a duration as people write it: `2s`, `150ms`, `1m 30s`, `1.5h`. Units: `ns us ms s m h d`.
///
/// # Errors
///
/// A text that says what is wrong.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// assert_eq!(kinoko::parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
/// assert!(kinoko::parse_duration("2 parsecs").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let refuse = || format!("`{text}` is no duration: write for example \"2s\", \"150ms\" or \"1m 30s\"");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(refuse());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refuse)?;
        let number: f64 = rest[..digits].parse().map_err(|_| refuse())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let seconds = match &rest[..letters] {
            "ns" => 1e-9,
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(refuse()),
        };
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| refuse())?;
        total = total.checked_add(part).ok_or_else(refuse)?;
        rest = rest[letters..].trim_start();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in
            [("150ms", 150), ("2s", 2_000), ("1m 30s", 90_000), ("0.5h", 1_800_000), ("1d", 86_400_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", " ", "5", "2 parsecs", "s", "-1s", "1e400d", "1..2s", "2s and more"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
