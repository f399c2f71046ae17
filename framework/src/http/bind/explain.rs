//! Why a value does not fit, in as many entries as there are reasons. Only for requests that were refused.

use std::borrow::Cow;

use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::{
    problems::texts,
    refusal::Refusal,
    schema::{Kind, Schemas},
    text::{Values, Whole, guess},
    values::{Pair, Raw},
    walk::{Found, escape, shown, walk},
};
use crate::{
    config::is_secret_name,
    protocol::{Args, excerpt},
    service::{ParamPlace, RouteInfo, RouteParam},
    validate::{Invalid, reported},
};

/// Above this size a body is not looked at as a tree, which takes up to 70 times its bytes: then the first thing that is wrong is told.
const EXPLAIN_BYTES: usize = 64 * 1024;

/// A value that was refused, and what is known of it.
pub(super) struct Subject<'a> {
    pub(super) schemas: &'a Schemas,
    pub(super) schema: &'a Value,
    /// The value, unless it is too large.
    pub(super) value: Option<Value>,
    /// Whether none of it may be shown.
    pub(super) secret: bool,
}

/// What the type itself said.
pub(super) struct Said {
    pub(super) pointer: String,
    pub(super) rule: &'static str,
    pub(super) message: String,
    /// Whether the message may repeat the value.
    pub(super) repeats: bool,
    pub(super) report: Option<Invalid>,
}

impl Subject<'_> {
    /// What the schema finds, and what the type said beyond that.
    pub(super) fn explain(&self, said: Option<Said>) -> Vec<Found> {
        let mut found = match &self.value {
            Some(value) => walk(self.schemas, self.schema, value, self.secret),
            None => Vec::new(),
        };
        let Some(said) = said else { return found };
        let (schema, secret) = self.below(&said.pointer);
        let value = self.value.as_ref().and_then(|value| value.pointer(&said.pointer));
        if let Some(invalid) = said.report {
            for violation in invalid.violations() {
                let place = pointer(self.schemas, schema, value, &violation.field);
                let place = format!("{}{place}", said.pointer);
                if !found.iter().any(|found| found.pointer == place) {
                    let secret = self.below(&place).1;
                    let value = self.value.as_ref().and_then(|value| shown(value.pointer(&place)?, secret));
                    let message = excerpt(&violation.message);
                    found.push(Found { pointer: place, rule: "valid", message, value });
                }
            }
            return found;
        }
        let told = |found: &Found| is_below(&found.pointer, &said.pointer) || is_below(&said.pointer, &found.pointer);
        if !found.iter().any(told) {
            // Serde repeats what it refuses, which may be anything beneath this place.
            let hidden = said.repeats && (secret || self.schemas.holds_secret(schema));
            let message = if hidden { "is not valid".to_owned() } else { said.message };
            let value = value.and_then(|value| shown(value, secret));
            found.push(Found { pointer: said.pointer, rule: said.rule, message, value });
        }
        found
    }

    /// The schema of a place, and whether what is there may not be shown.
    fn below(&self, pointer: &str) -> (&Value, bool) {
        let (mut schema, mut secret) = (self.schema, self.secret || self.schemas.is_secret(self.schema));
        for name in pointer.split('/').skip(1) {
            let name = name.replace("~1", "/").replace("~0", "~");
            schema = self.schemas.inner(schema, &name);
            secret = secret || is_secret_name(&name) || self.schemas.is_secret(schema);
        }
        (schema, secret)
    }
}

/// Whether a place is this one or inside of it.
fn is_below(place: &str, of: &str) -> bool {
    place.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether nothing of a parameter may be shown.
pub(super) fn is_secret(param: &RouteParam) -> bool {
    let is_login = || ["authorization", "proxy-authorization", "cookie"].contains(&param.name);
    match param.place {
        // Most of them are somebody's session.
        ParamPlace::Cookie => true,
        ParamPlace::Header if is_login() => true,
        ParamPlace::Body(_) => param.param.sensitive,
        _ => param.param.sensitive || is_secret_name(param.name),
    }
}

/// Texts that do not fit their parameter. The pointers begin at the parameter, or at the whole where it takes its fields from there.
pub(super) fn explain_texts<'de, A: Args<'de>>(
    route: &'static RouteInfo,
    index: usize,
    values: Values<'_>,
    refusal: Refusal,
) -> Vec<Found> {
    let schemas = Schemas::of(route);
    let schema = schemas.param(index);
    let (_, report) = reported(|| A::default().set(index, values));
    let took_whole = values.whole.filter(|whole| whole.asked.borrow().whole);
    let secret = is_secret(&route.params[index]);
    let subject =
        Subject { schemas: &schemas, schema, value: took_whole.map(|whole| tree(&schemas, schema, whole)), secret };
    let said = Said {
        pointer: refusal.field.map_or_else(String::new, |field| format!("/{}", escape(&field))),
        rule: refusal.rule,
        message: refusal.message,
        repeats: true,
        report,
    };
    let mut found = subject.explain(Some(said));
    if took_whole.is_none() && !secret && !schemas.is_secret(schema) {
        for found in &mut found {
            found.value = texts(values.pairs.iter().filter_map(|pair| text(pair)).map(Cow::into_owned));
        }
    }
    found
}

/// A value as it may be shown. Not what a file has in it.
fn text<'a>(pair: &'a Pair<'_>) -> Option<Cow<'a, str>> {
    match &pair.raw {
        Raw::Part(part) if part.file_name.is_some() => None,
        Raw::Encoded(raw) => Some(pair.raw.text().unwrap_or(Cow::Borrowed(raw))),
        raw => raw.text().ok(),
    }
}

/// The fields of a query or a form as the tree that their schema would have.
fn tree(schemas: &Schemas, schema: &Value, whole: Whole<'_>) -> Value {
    let groups = whole.pairs.groups().filter(|group| !whole.taken.has(&group[0].name));
    let fields = groups.map(|group| {
        let name = group[0].name.clone().into_owned();
        let kind = Kind::of(schemas, schemas.property(schema, &name).unwrap_or(&Value::Bool(true)));
        let mut values: Vec<_> = group.iter().map(|pair| guess(&text(pair).unwrap_or_default(), kind.scalar)).collect();
        let value = match values.len() {
            1 if !kind.list => values.remove(0),
            _ => values.into(),
        };
        (name, value)
    });
    Value::Object(fields.collect())
}

/// A body, or a field of it, that does not fit its parameter: decoded once more, to tell the place. The pointer begins at the value.
pub(super) fn explain_json<'de, A: Args<'de>>(
    index: usize,
    deserializer: impl serde::Deserializer<'de>,
) -> Option<Said> {
    let mut place = serde_path_to_error::Track::new();
    let (refused, report) = reported(|| {
        let deserializer = serde_path_to_error::Deserializer::new(deserializer, &mut place);
        // Erased, so that the parameters are compiled for one deserializer more and not for each.
        let mut erased = <dyn erased_serde::Deserializer<'de>>::erase(deserializer);
        A::default().set(index, &mut erased as &mut dyn erased_serde::Deserializer<'de>).err()
    });
    let message = without_place(excerpt(refused?));
    Some(Said { pointer: to_pointer(&place.path()), rule: "type", message, repeats: true, report })
}

/// The tree of a body that is not too large for it.
pub(super) fn small_tree(body: &[u8]) -> Option<Value> {
    (body.len() <= EXPLAIN_BYTES).then(|| serde_json::from_slice(body).ok()).flatten()
}

/// A text without the line and column that serde_json appends: the pointer says it better.
pub(super) fn without_place(mut text: String) -> String {
    if let Some(end) = text.rfind(" at line ") {
        text.truncate(end);
    }
    text
}

fn to_pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { variant } => pointer.push_str(&format!("/{}", escape(variant))),
            Segment::Unknown => break,
        }
    }
    pointer
}

/// The place that a rule's path names, which has Rust's names in it where the body has serde's.
fn pointer(schemas: &Schemas, schema: &Value, value: Option<&Value>, path: &str) -> String {
    let (mut schema, mut value, mut pointer) = (schema, value, String::new());
    let mut names = path.split(['.', '[', ']']).filter(|name| !name.is_empty()).peekable();
    while let Some(name) = names.next() {
        let find = |name: &str| known_as(schemas, schema, value, name);
        let known = match (find(name), names.peek().and_then(|next| find(next))) {
            (Some(known), _) => known,
            // The field of a flattened struct stands in its place.
            (None, Some(_)) => continue,
            (None, None) => name.to_owned(),
        };
        pointer.push_str(&format!("/{}", escape(&known)));
        value = value.and_then(|value| match value {
            Value::Array(items) => items.get(known.parse::<usize>().ok()?),
            value => value.get(&known),
        });
        schema = schemas.inner(schema, &known);
    }
    pointer
}

fn known_as(schemas: &Schemas, schema: &Value, value: Option<&Value>, name: &str) -> Option<String> {
    let is_index = matches!(value, Some(Value::Array(_))) && name.parse::<usize>().is_ok();
    if is_index || value.is_some_and(|value| value.get(name).is_some()) {
        return Some(name.to_owned());
    }
    let names = schemas.property_names(schema);
    // `first_name` is `firstName` in most bodies.
    let plain = |name: &str| {
        name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let found = names.iter().find(|known| **known == name).or_else(|| {
        let name = plain(name);
        names.iter().find(|known| plain(known) == name)
    });
    found.map(|known| (*known).to_owned())
}
