//! What are the same arguments: a hash of what a body says, whatever codec, order of keys or form of an argument it says it in.
//!
//! No value tree is built: it can take up to 70 times the bytes of its body.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use sha2::{Digest, Sha256};

use super::identity::Identity;
use crate::{
    protocol::{Param, Value},
    service::WorkerCall,
};

/// Of a call's arguments, by the names of its method's parameters; of a message's payload, where there are none.
///
/// An argument that is left out is the same as one that is null.
pub(super) fn fingerprint(call: &WorkerCall, params: Option<&[Param]>, identity: &Identity) -> Vec<u8> {
    let body = call.context.body();
    let mut whole = salted(identity);
    match call.format.decode_seed(body, Whole(params)) {
        Ok(meant) => whole.update(meant),
        // A payload in a codec that nobody here has.
        Err(_) => whole.update(body),
    }
    whole.finalize().to_vec()
}

/// So that rows of different keys do not tell that they were asked for with the same arguments.
fn salted(identity: &Identity) -> Sha256 {
    let mut hash = Sha256::new();
    for part in [identity.service, identity.method, &identity.caller, &identity.key] {
        text(&mut hash, part);
    }
    hash
}

type Hash = [u8; 32];

#[derive(Clone, Copy)]
struct Whole<'p>(Option<&'p [Param]>);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = Hash;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Hash, D::Error> {
        match self.0 {
            Some(params) => deserializer.deserialize_map(Request(params)),
            None => {
                let mut hash = Sha256::new();
                Meaning(&mut hash).deserialize(deserializer)?;
                Ok(hash.finalize().into())
            }
        }
    }
}

/// `{"args": […], "kwargs": {…}}`
struct Request<'p>(&'p [Param]);

impl<'de> Visitor<'de> for Request<'_> {
    type Value = Hash;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Hash, A::Error> {
        let mut entries = Vec::with_capacity(self.0.len());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "args" => map.next_value_seed(Arguments { params: self.0, entries: &mut entries })?,
                "kwargs" => map.next_value_seed(Arguments { params: &[], entries: &mut entries })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let mut hash = Sha256::new();
        sorted(&mut hash, entries);
        Ok(hash.finalize().into())
    }
}

/// Arguments by position, or by name.
struct Arguments<'p, 'e> {
    params: &'p [Param],
    entries: &'e mut Vec<Hash>,
}

impl Arguments<'_, '_> {
    /// Gives where the value of an argument goes.
    fn entry(name: &str) -> Sha256 {
        let mut entry = Sha256::new();
        text(&mut entry, name);
        entry
    }
}

impl<'de> DeserializeSeed<'de> for Arguments<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Arguments<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for place in 0.. {
            let mut entry = Self::entry(self.params.get(place).map_or("", |param| param.name));
            match seq.next_element_seed(Meaning(&mut entry))? {
                None => break,
                Some(Nothing(true)) => {}
                Some(Nothing(false)) => self.entries.push(entry.finalize().into()),
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let mut entry = Self::entry(&name);
            if let Nothing(false) = map.next_value_seed(Meaning(&mut entry))? {
                self.entries.push(entry.finalize().into());
            }
        }
        Ok(())
    }
}

/// Writes what a value means: its kind, then what it holds.
struct Meaning<'h>(&'h mut Sha256);

/// Whether the value was null.
struct Nothing(bool);

impl Meaning<'_> {
    fn integer(self, value: i128) -> Nothing {
        self.0.update(b"i");
        self.0.update(value.to_le_bytes());
        Nothing(false)
    }
}

fn text(hash: &mut Sha256, text: &str) {
    hash.update(b"s");
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

/// The order of keys says nothing.
fn sorted(hash: &mut Sha256, mut entries: Vec<Hash>) {
    entries.sort_unstable();
    hash.update(b"{");
    for entry in entries {
        hash.update(entry);
    }
    hash.update(b"}");
}

impl<'de> DeserializeSeed<'de> for Meaning<'_> {
    type Value = Nothing;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Nothing, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Below it every whole number has a float of its own.
const WHOLE_FLOATS: f64 = 9_007_199_254_740_992.0;

impl<'de> Visitor<'de> for Meaning<'_> {
    type Value = Nothing;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Nothing, E> {
        self.0.update(if value { b"t" } else { b"f" });
        Ok(Nothing(false))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Nothing, E> {
        Ok(self.integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Nothing, E> {
        Ok(self.integer(value.into()))
    }

    fn visit_f32<E: Error>(self, value: f32) -> Result<Nothing, E> {
        // As JSON would write it, and be read: 0.1 is 0.1, and not 0.10000000149.
        self.visit_f64(value.to_string().parse().unwrap_or(f64::from(value)))
    }

    #[allow(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
    fn visit_f64<E>(self, value: f64) -> Result<Nothing, E> {
        // JSON of other languages may write 1.0 as 1.
        if value.fract() == 0.0 && value.abs() < WHOLE_FLOATS {
            return Ok(self.integer(value as i128));
        }
        self.0.update(b"d");
        self.0.update(value.to_bits().to_le_bytes());
        Ok(Nothing(false))
    }

    fn visit_str<E>(self, value: &str) -> Result<Nothing, E> {
        text(self.0, value);
        Ok(Nothing(false))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Nothing, E> {
        // JSON has a list of numbers for them.
        self.0.update(b"[");
        for byte in value {
            Meaning(self.0).integer((*byte).into());
        }
        self.0.update(b"]");
        Ok(Nothing(false))
    }

    fn visit_none<E>(self) -> Result<Nothing, E> {
        self.0.update(b"n");
        Ok(Nothing(true))
    }

    fn visit_unit<E: Error>(self) -> Result<Nothing, E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Nothing, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Nothing, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Nothing, A::Error> {
        self.0.update(b"[");
        while seq.next_element_seed(Meaning(self.0))?.is_some() {}
        self.0.update(b"]");
        Ok(Nothing(false))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nothing, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Value>()? {
            let mut entry = Sha256::new();
            match key {
                Value::String(key) => text(&mut entry, &key),
                // In JSON all keys are texts.
                key => text(&mut entry, &key.to_string()),
            }
            map.next_value_seed(Meaning(&mut entry))?;
            entries.push(entry.finalize().into());
        }
        sorted(self.0, entries);
        Ok(Nothing(false))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::{
        codec::Format,
        context::{WorkerContext, WorkerOrigin},
        protocol::Message,
    };

    const fn param(name: &'static str) -> Param {
        Param { name, ty: "", default: None, required: false, sensitive: false }
    }

    const PARAMS: &[Param] = &[param("sku"), param("count"), param("note")];

    fn of(format: &Format, body: &impl Serialize, params: Option<&[Param]>) -> Vec<u8> {
        let body = format.encode(body).unwrap();
        let message = Arc::new(Message { body, ..Message::default() });
        let call =
            WorkerCall::new(0, format.clone(), WorkerContext::new(WorkerOrigin { message, ..WorkerOrigin::default() }));
        let (caller, key) = (String::new(), "k".to_owned());
        fingerprint(&call, params, &Identity { service: "s", method: "m", caller, key })
    }

    #[test]
    fn the_same_arguments_are_the_same_however_they_are_sent() {
        let by_position = json!({"args": ["A", 2], "kwargs": {}});
        let same = of(&Format::Json, &by_position, Some(PARAMS));
        for (format, body) in [
            (Format::MessagePack, by_position.clone()),
            (Format::Json, json!({"kwargs": {"count": 2, "sku": "A"}, "args": []})),
            (Format::Json, json!({"args": ["A"], "kwargs": {"count": 2.0, "note": null}})),
            (Format::MessagePack, json!({"args": ["A", 2, null], "kwargs": {}, "more": 1})),
        ] {
            assert_eq!(of(&format, &body, Some(PARAMS)), same, "{body}");
        }
        for body in [
            json!({"args": ["A", 3], "kwargs": {}}),
            json!({"args": ["A", "2"], "kwargs": {}}),
            json!({"args": ["A", 2, ""], "kwargs": {}}),
            json!({"args": ["A", 2.5], "kwargs": {}}),
            json!({"args": ["A"], "kwargs": {"note": 2}}),
            json!({"args": [["A"], 2], "kwargs": {}}),
            json!({"args": [], "kwargs": {}}),
        ] {
            assert_ne!(of(&Format::Json, &body, Some(PARAMS)), same, "{body}");
        }
    }

    #[test]
    fn what_is_inside_has_its_place() {
        let payload = json!({"lines": [{"sku": "A", "qty": 1}, [1, [2]]], "at": 0.1});
        let same = of(&Format::Json, &payload, None);
        assert_eq!(of(&Format::MessagePack, &payload, None), same);
        for other in [
            json!({"lines": [[1, [2]], {"sku": "A", "qty": 1}], "at": 0.1}),
            json!({"lines": [{"sku": "A", "qty": 1}, [1, 2]], "at": 0.1}),
            json!({"lines": [{"sku": "A", "qty": 1}, [1, [2]], {}], "at": 0.1}),
        ] {
            assert_ne!(of(&Format::Json, &other, None), same, "{other}");
        }
        assert_eq!(of(&Format::MessagePack, &0.1_f32, None), of(&Format::Json, &0.1_f32, None));
        assert_eq!(of(&Format::MessagePack, &serde_bytes::Bytes::new(b"ab"), None), of(&Format::Json, &[97, 98], None));
    }
}
