//! The members of a JSON object, with their values as they stand there: they are passed on unread.

use serde::de::{Deserialize, IgnoredAny};
use serde_json::Deserializer;

/// Name and value of each member, in order. `None`: it is no JSON object.
pub(super) fn members(json: &str) -> Option<Vec<(String, &str)>> {
    let mut members = Vec::new();
    let mut rest = json.trim_ascii().strip_prefix('{')?.trim_ascii_start();
    if rest == "}" {
        return Some(members);
    }
    loop {
        let (name, after) = value::<String>(rest)?;
        let (text, after) = raw(after.trim_ascii_start().strip_prefix(':')?)?;
        members.push((name, text));
        rest = after.trim_ascii_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest == "}" => return Some(members),
            None => return None,
        }
    }
}

fn raw(json: &str) -> Option<(&str, &str)> {
    let json = json.trim_ascii_start();
    let (IgnoredAny, rest) = value(json)?;
    Some((&json[..json.len() - rest.len()], rest))
}

/// The value that a text begins with, and what is behind it.
fn value<'a, T: Deserialize<'a>>(json: &'a str) -> Option<(T, &'a str)> {
    let mut values = Deserializer::from_str(json).into_iter::<T>();
    let value = values.next()?.ok()?;
    Some((value, json.get(values.byte_offset()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_are() {
        let json = r#" { "a" : 18446744073709551616.0 , "b\n":{"x":[1, 2]},"c":"}," , "a":null } "#;
        let expected = [("a", "18446744073709551616.0"), ("b\n", r#"{"x":[1, 2]}"#), ("c", r#""},""#), ("a", "null")];
        let read = members(json).unwrap();
        assert_eq!(read.iter().map(|(name, value)| (&**name, *value)).collect::<Vec<_>>(), expected);
        assert_eq!(members("{}"), Some(Vec::new()));
        assert_eq!(members("{ }"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for json in [
            "",
            "{",
            "[]",
            "null",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":1}x"#,
            "{a:1}",
            r#"{"a":1}{}"#,
            r#"{1:2}"#,
            r#"{,"a":1}"#,
            r#"{"a":[}"#,
            r#"{"a":1"#,
            "{\"a\":\"\n\"}",
        ] {
            assert_eq!(members(json), None, "{json}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let json = format!(r#"{{"a":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(members(&json).unwrap()[0].1.len(), 2_000_000);
    }
}
