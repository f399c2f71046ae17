//! Keys that an object has for the second time. A tree of values keeps the last one, and says nothing.

use std::{collections::HashSet, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use super::walk::MOST;

/// The path of each such key in a body that is JSON; the name of the key comes last.
pub(super) fn twice(body: &[u8]) -> Vec<Vec<String>> {
    let (mut path, mut found) = (Vec::new(), Vec::new());
    let look = Look { path: &mut path, found: &mut found };
    // It was read already: what is no JSON has its own answer.
    let _ = look.deserialize(&mut serde_json::Deserializer::from_slice(body));
    found
}

struct Look<'a> {
    path: &'a mut Vec<String>,
    found: &'a mut Vec<Vec<String>>,
}

impl Look<'_> {
    fn below(&mut self, name: String) -> Look<'_> {
        self.path.push(name);
        Look { path: self.path, found: self.found }
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! nothing_to_see {
    ($($visit:ident: $ty:ty),*) => {$(
        fn $visit<E>(self, _: $ty) -> Result<(), E> {
            Ok(())
        }
    )*};
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    nothing_to_see! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let item = items.next_element_seed(self.below(index.to_string()))?;
            self.path.pop();
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let below = self.below(name.clone());
            if !seen.insert(name) && below.found.len() < MOST && !below.found.contains(below.path) {
                below.found.push(below.path.clone());
            }
            map.next_value_seed(below)?;
            self.path.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_wherever_they_are() {
        let found = |body: &str| twice(body.as_bytes()).iter().map(|path| path.join("/")).collect::<Vec<_>>();
        let body = r#"{"a": 1, "b": [{"c": null}, {"c": 1.5, "d": {"e": "x", "e": true}, "c": []}], "a": {}, "a": -1}"#;
        assert_eq!(found(body), ["b/1/d/e", "b/1/c", "a"]);
        assert_eq!(found(r#"[{"a": 1}, {"a": 1}, [], {}, 5, "a"]"#), [""; 0]);
        assert_eq!(found(r#"{"a": {"a": 1, "\u0061": 2}}"#), ["a/a"]);
        assert_eq!(twice(&b"{\"a\": 1, \"a\""[..]).len(), 1);
    }
}
