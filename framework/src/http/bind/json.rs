//! JSON bodies: straight into the parameters, and looked at once more where they do not fit.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;

use crate::{
    codec::essence,
    protocol::Args,
    service::{ParamPlace, RouteInfo},
};

/// Whether a content type is JSON: `application/json`, `application/problem+json`.
pub(super) fn is_json(content_type: &str) -> bool {
    let Some((kind, subtype)) = essence(content_type).split_once('/') else { return false };
    let ends = |suffix: &str| {
        subtype.len() > suffix.len() && subtype[subtype.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
    };
    kind.eq_ignore_ascii_case("application")
        && subtype.is_ascii()
        && (subtype.eq_ignore_ascii_case("json") || ends("+json"))
}

/// Why a body was refused, and which parameter was being read.
pub(super) struct Refused {
    pub(super) error: serde_json::Error,
    pub(super) index: Option<usize>,
}

/// Decodes a body that is one parameter.
pub(super) fn whole<'de, A: Args<'de>>(args: &mut A, index: usize, body: &'de [u8]) -> Result<(), Refused> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = args.set(index, &mut deserializer).and_then(|()| deserializer.end());
    read.map_err(|error| Refused { error, index: Some(index) })
}

/// Decodes a body whose fields are parameters. Other fields are ignored.
pub(super) fn fields<'de, A: Args<'de>>(args: &mut A, route: &RouteInfo, body: &'de [u8]) -> Result<(), Refused> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut at = None;
    let read = Fields { args, route, at: &mut at }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    read.map_err(|error| Refused { error, index: at })
}

/// Decodes a parameter from a tree.
pub(super) fn set<'de, A: Args<'de>>(args: &mut A, index: usize, tree: Value) -> Result<(), serde_json::Error> {
    // Erased, so that the parameters are compiled for one deserializer more and not for each.
    let mut erased = <dyn erased_serde::Deserializer<'de>>::erase(tree);
    let set = args.set(index, &mut erased as &mut dyn erased_serde::Deserializer<'de>);
    set.map_err(serde_json::Error::custom)
}

/// The largest number below which a float tells all integers apart: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Makes integers of the floats without a fraction in a tree. Whether there were any.
pub(super) fn make_integers(tree: &mut Value) -> bool {
    match tree {
        Value::Number(number) => {
            let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT);
            let Some(float) = float else { return false };
            *tree = Value::from(float as i64);
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |any, item| make_integers(item) | any),
        Value::Object(fields) => fields.values_mut().fold(false, |any, value| make_integers(value) | any),
        _ => false,
    }
}

/// The parameter that a field of the body is.
pub(super) fn field(route: &RouteInfo, name: &str) -> Option<usize> {
    route.params.iter().position(|param| matches!(param.place, ParamPlace::Field(_)) && param.name == name)
}

struct Fields<'a, A> {
    args: &'a mut A,
    route: &'a RouteInfo,
    at: &'a mut Option<usize>,
}

impl<'de, A: Args<'de>> DeserializeSeed<'de> for Fields<'_, A> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, A: Args<'de>> Visitor<'de> for Fields<'_, A> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(index) = map.next_key_seed(Name(self.route))? {
            let Some(index) = index else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            *self.at = Some(index);
            if self.args.is_set(index) {
                return Err(M::Error::custom("is given twice"));
            }
            map.next_value_seed(Slot { args: self.args, index })?;
            *self.at = None;
        }
        Ok(())
    }
}

struct Name<'a>(&'a RouteInfo);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(field(self.0, name))
    }
}

struct Slot<'a, A> {
    args: &'a mut A,
    index: usize,
}

impl<'de, A: Args<'de>> DeserializeSeed<'de> for Slot<'_, A> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.args.set(self.index, deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_that_are_json() {
        for yes in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.shop.v1+json"] {
            assert!(is_json(yes), "{yes}");
        }
        for no in [
            "",
            "json",
            "text/json",
            "application/jsonp",
            "application/+json",
            "application/x-www-form-urlencoded",
            "application/ü+json",
        ] {
            assert!(!is_json(no), "{no}");
        }
    }
}
