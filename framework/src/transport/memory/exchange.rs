use crate::{protocol::Name, transport::ExchangeKind};

/// An exchange with its bindings.
pub(super) struct BoundExchange {
    kind: ExchangeKind,
    bindings: Vec<(Name, Name)>,
}

impl BoundExchange {
    pub(super) fn new(kind: ExchangeKind) -> Self {
        Self { kind, bindings: Vec::new() }
    }

    pub(super) fn bind(&mut self, routing_key: Name, queue: Name) {
        if !self.bindings.iter().any(|binding| *binding == (routing_key.clone(), queue.clone())) {
            self.bindings.push((routing_key, queue));
        }
    }

    pub(super) fn unbind(&mut self, queue: &Name) {
        self.bindings.retain(|(_, bound)| bound != queue);
    }

    /// The queues that a routing key leads to, each once.
    pub(super) fn route(&self, routing_key: &str) -> Vec<Name> {
        let mut queues: Vec<Name> = Vec::new();
        for (pattern, queue) in &self.bindings {
            let matches = match self.kind {
                ExchangeKind::Fanout | ExchangeKind::Headers => true,
                ExchangeKind::Direct => pattern == routing_key,
                ExchangeKind::Topic => topic_matches(pattern, routing_key),
            };
            if matches && !queues.contains(queue) {
                queues.push(queue.clone());
            }
        }
        queues
    }
}

/// AMQP's topic patterns: words between dots, `*` for one word, `#` for any number of them.
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

#[cfg(test)]
mod tests {
    use super::topic_matches;

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
}
