//! Which bindings of an exchange a message takes, as AMQP says.

use super::{Binding, ExchangeKind};
use crate::protocol::{Headers, Message, Name, Value};

/// Whether a message that is published to an exchange of this kind takes this binding of it.
pub(super) fn takes(kind: ExchangeKind, binding: &Binding, message: &Message) -> bool {
    match kind {
        ExchangeKind::Fanout => true,
        ExchangeKind::Direct => binding.routing_key == message.routing_key,
        ExchangeKind::Topic => topic_matches(&binding.routing_key, &message.routing_key),
        ExchangeKind::Headers => headers_match(&binding.arguments, &message.properties.headers),
    }
}

/// Words between dots, `*` for one word, `#` for any number of them.
fn topic_matches(pattern: &str, routing_key: &str) -> bool {
    if !pattern.contains(['*', '#']) {
        return pattern == routing_key;
    }
    let pattern: Vec<&str> = pattern.split('.').collect();
    let words: Vec<&str> = if routing_key.is_empty() { Vec::new() } else { routing_key.split('.').collect() };
    words_match(&pattern, &words)
}

/// The usual two-pointer walk: a mismatch goes back to the last `#` and lets it take one word more.
fn words_match(pattern: &[&str], words: &[&str]) -> bool {
    let (mut p, mut w) = (0, 0);
    let mut hash: Option<(usize, usize)> = None;
    while w < words.len() {
        match pattern.get(p) {
            Some(&"#") => {
                hash = Some((p, w));
                p += 1;
            }
            Some(&part) if part == "*" || part == words[w] => {
                p += 1;
                w += 1;
            }
            _ => match hash {
                Some((at, taken)) => {
                    hash = Some((at, taken + 1));
                    p = at + 1;
                    w = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|part| *part == "#")
}

/// A null in the arguments asks for the header alone, whatever its value.
fn headers_match(arguments: &Headers, headers: &Headers) -> bool {
    let mode = arguments.get("x-match").and_then(|mode| mode.as_str()).unwrap_or("all");
    let with_x = mode.ends_with("-with-x");
    let mut wanted = arguments.iter().filter(|(key, _)| *key != "x-match" && (with_x || !key.starts_with("x-")));
    let has = |(key, value): (&Name, &Value)| headers.get(key).is_some_and(|found| value.is_null() || found == value);
    if mode.starts_with("any") { wanted.any(has) } else { wanted.all(has) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn topics_match_as_in_amqp() {
        for (pattern, key, expected) in [
            ("orders.*", "orders.place", true),
            ("orders.*", "orders.place.now", false),
            ("orders.*", "orders", false),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("a.#", "a", true),
            ("a.#.z", "a.b.c.z", true),
            ("a.#.z", "a.b.c", false),
            ("*.b.#", "a.b", true),
            ("#.b.*", "b.b.b.c", true),
            ("a.b", "a.b", true),
        ] {
            assert_eq!(topic_matches(pattern, key), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn headers_match_as_in_amqp() {
        let headers = |value: Value| Headers::from_iter(value.as_object().unwrap().clone());
        let message = headers(json!({"a": 1, "b": "x", "x-c": true}));
        for (arguments, expected) in [
            (json!({}), true),
            (json!({"a": 1, "b": "x"}), true),
            (json!({"a": 1, "b": "y"}), false),
            (json!({"x-match": "any", "a": 1, "b": "y"}), true),
            (json!({"x-match": "any"}), false),
            (json!({"a": null}), true),
            (json!({"d": null}), false),
            (json!({"x-c": false}), true),
            (json!({"x-match": "all-with-x", "x-c": false}), false),
            (json!({"x-match": "any-with-x", "x-c": true}), true),
        ] {
            assert_eq!(headers_match(&headers(arguments.clone()), &message), expected, "{arguments}");
        }
    }
}
