//! What a value does not have of its schema: everything at once, where a deserializer stops at the first thing.
//!
//! It knows what schemars writes, not all of JSON Schema, and is asked only about values that were refused already: what it does
//! not find costs an entry in an answer, and nothing else.

use serde_json::{Map, Value};

use super::{
    refusal::{one_of, unknown},
    schema::Schemas,
};
use crate::{config::is_secret_name, protocol::excerpt};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// Where, as a JSON pointer.
    pub(super) pointer: String,
    /// The keyword of the schema.
    pub(super) rule: &'static str,
    /// For people.
    pub(super) message: String,
    /// What was found, where it may be shown.
    pub(super) value: Option<Value>,
}

/// The most that one answer lists: a large body must not make a larger answer.
pub(super) const MOST: usize = 50;

/// The most steps of one walk. Choices inside choices would take a time that grows with the power of their depth.
const MOST_STEPS: usize = 20_000;

/// Looks at a value.
pub(super) fn walk(schemas: &Schemas, schema: &Value, value: &Value, secret: bool) -> Vec<Found> {
    let mut walk = Walk { schemas, steps: MOST_STEPS };
    let mut found = Vec::new();
    walk.at(schema, value, &Place { pointer: String::new(), secret }, &mut found);
    let mut kept: Vec<Found> = Vec::new();
    for found in found {
        // Put together from several parts, a schema may say the same twice.
        if kept.len() < MOST && !kept.contains(&found) {
            kept.push(found);
        }
    }
    kept
}

/// A part of a pointer.
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A value as it may be shown: one that holds others is not, since any of them may be a secret.
pub(super) fn shown(value: &Value, secret: bool) -> Option<Value> {
    match value {
        _ if secret => None,
        Value::String(text) => Some(excerpt(text).into()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

struct Place {
    pointer: String,
    secret: bool,
}

impl Place {
    fn below(&self, name: &str) -> Self {
        let secret = self.secret || is_secret_name(name);
        Self { pointer: format!("{}/{}", self.pointer, escape(name)), secret }
    }

    fn tell(&self, rule: &'static str, message: impl Into<String>, value: &Value) -> Found {
        Found { pointer: self.pointer.clone(), rule, message: message.into(), value: shown(value, self.secret) }
    }
}

struct Walk<'a> {
    schemas: &'a Schemas,
    steps: usize,
}

impl<'a> Walk<'a> {
    fn at(&mut self, schema: &'a Value, value: &Value, place: &Place, found: &mut Vec<Found>) {
        let Some(steps) = self.steps.checked_sub(1) else { return };
        self.steps = steps;
        let place = &Place { pointer: place.pointer.clone(), secret: place.secret || self.schemas.is_secret(schema) };
        let Value::Object(keywords) = schema else {
            if *schema == Value::Bool(false) {
                found.push(place.tell("not", "must not be there", value));
            }
            return;
        };
        if let Some(referred) = self.schemas.referred(schema) {
            self.at(referred, value, place, found);
        }
        if let Some(types) = keywords.get("type")
            && !is_of(types, value)
        {
            found.push(place.tell("type", format!("must be {}", name_types(types)), value));
            return;
        }
        if let Some(only) = keywords.get("const")
            && only != value
        {
            found.push(place.tell("const", one_of(&[only]), value));
        }
        if let Some(Value::Array(allowed)) = keywords.get("enum")
            && !allowed.contains(value)
        {
            found.push(place.tell("enum", one_of(allowed), value));
        }
        match value {
            Value::Number(number) => numbers(keywords, number, value, place, found),
            Value::String(text) => texts(keywords, text, value, place, found),
            Value::Array(items) => self.items(keywords, items, value, place, found),
            Value::Object(fields) => self.fields(schema, keywords, fields, place, found),
            Value::Null | Value::Bool(_) => {}
        }
        for part in list(keywords, "allOf") {
            self.at(part, value, place, found);
        }
        for rule in ["anyOf", "oneOf"] {
            self.choice(rule, list(keywords, rule), value, place, found);
        }
    }

    fn items(
        &mut self,
        keywords: &'a Map<String, Value>,
        items: &[Value],
        value: &Value,
        place: &Place,
        found: &mut Vec<Found>,
    ) {
        let count = items.len() as u64;
        if let Some(least) = number(keywords, "minItems").filter(|least| count < *least) {
            found.push(place.tell(
                "minItems",
                format!("must have {} at least, not {count}", count_of(least, "item")),
                value,
            ));
        }
        if let Some(most) = number(keywords, "maxItems").filter(|most| count > *most) {
            found.push(place.tell(
                "maxItems",
                format!("must have {} at most, not {count}", count_of(most, "item")),
                value,
            ));
        }
        let first = list(keywords, "prefixItems");
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(index).or_else(|| keywords.get("items")) {
                self.at(schema, item, &place.below(&index.to_string()), found);
            }
            if found.len() > MOST {
                return;
            }
        }
    }

    fn fields(
        &mut self,
        schema: &'a Value,
        keywords: &'a Map<String, Value>,
        fields: &Map<String, Value>,
        place: &Place,
        found: &mut Vec<Found>,
    ) {
        for name in list(keywords, "required").iter().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                let place = Place { secret: true, ..place.below(name) };
                found.push(place.tell("required", "is required", &Value::Null));
            }
        }
        let known = keywords.get("properties").and_then(Value::as_object);
        for (name, value) in fields {
            let place = place.below(name);
            match (known.and_then(|known| known.get(name)), keywords.get("additionalProperties")) {
                (Some(schema), _) => self.at(schema, value, &place, found),
                (None, Some(Value::Bool(false))) => {
                    let known = self.schemas.names(schema).unwrap_or_default();
                    found.push(place.tell("additionalProperties", unknown(name, known), value));
                }
                (None, Some(schema)) => self.at(schema, value, &place, found),
                (None, None) => {}
            }
            if found.len() > MOST {
                return;
            }
        }
    }

    /// One of several schemas must fit. Where none does, what is told is about the one that was probably meant.
    fn choice(
        &mut self,
        rule: &'static str,
        choices: &'a [Value],
        value: &Value,
        place: &Place,
        found: &mut Vec<Found>,
    ) {
        if choices.is_empty() {
            return;
        }
        let mut attempts = Vec::new();
        for choice in choices {
            let mut wrong = Vec::new();
            self.at(choice, value, place, &mut wrong);
            if wrong.is_empty() {
                return;
            }
            // That it is not null says nothing: nobody meant null.
            if self.schemas.resolve(choice).get("type").is_none_or(|ty| ty != "null") {
                attempts.push(wrong);
            }
        }
        if let [only] = &mut attempts[..] {
            return found.append(only);
        }
        let constants: Vec<_> = choices.iter().filter_map(|choice| self.schemas.resolve(choice).get("const")).collect();
        if constants.len() == choices.len() {
            return found.push(place.tell("enum", one_of(&constants), value));
        }
        // A form whose tag is another, or that differs at this very place, was not meant.
        let meant =
            |wrong: &Vec<Found>| wrong.iter().all(|wrong| wrong.rule != "const" && wrong.pointer != place.pointer);
        let wrong_tag = |wrong: &Found| wrong.rule == "additionalProperties" || wrong.rule == "required";
        let tagged = |wrong: &Vec<Found>| wrong.iter().all(|wrong| wrong.rule != "const" && !wrong_tag(wrong));
        let nearest = |attempts: &[Vec<Found>]| {
            attempts
                .iter()
                .filter(|wrong| meant(wrong) && tagged(wrong))
                .chain(attempts.iter().filter(|wrong| meant(wrong)))
                .next()
                .cloned()
        };
        if let Some(mut nearest) = nearest(&attempts) {
            return found.append(&mut nearest);
        }
        if let Some(mut tag) = tags(&attempts) {
            return found.append(&mut tag);
        }
        found.push(place.tell(rule, format!("must be one of {} forms, and is none of them", attempts.len()), value));
    }
}

/// Where each form wants another tag, and the value has none of them: the tags.
fn tags(attempts: &[Vec<Found>]) -> Option<Vec<Found>> {
    let tags: Vec<_> = attempts.iter().filter_map(|wrong| wrong.iter().find(|wrong| wrong.rule == "const")).collect();
    let first = *tags.first()?;
    if tags.len() < attempts.len() || tags.iter().any(|tag| tag.pointer != first.pointer) {
        return None;
    }
    let allowed: Vec<_> = tags.iter().filter_map(|tag| tag.message.strip_prefix("must be ")).collect();
    Some(vec![Found { rule: "enum", message: one_of(&allowed), ..first.clone() }])
}

fn list<'a>(keywords: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    keywords.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn number(keywords: &Map<String, Value>, key: &str) -> Option<u64> {
    keywords.get(key)?.as_u64()
}

fn count_of(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn is_of(types: &Value, value: &Value) -> bool {
    match types {
        Value::String(ty) => match &**ty {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        },
        Value::Array(types) => types.iter().any(|ty| is_of(ty, value)),
        _ => true,
    }
}

fn name_types(types: &Value) -> String {
    let name = |ty: &Value| match ty.as_str().unwrap_or_default() {
        "null" => "null",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "an object",
        _ => "of another type",
    };
    match types {
        Value::Array(types) => types.iter().map(name).collect::<Vec<_>>().join(" or "),
        one => name(one).to_owned(),
    }
}

type Compare = fn(f64, f64) -> bool;

fn numbers(
    keywords: &Map<String, Value>,
    number: &serde_json::Number,
    value: &Value,
    place: &Place,
    found: &mut Vec<Found>,
) {
    let rules: [(&str, &str, Compare); 4] = [
        ("minimum", "at least", |number, limit| number < limit),
        ("maximum", "at most", |number, limit| number > limit),
        ("exclusiveMinimum", "more than", |number, limit| number <= limit),
        ("exclusiveMaximum", "less than", |number, limit| number >= limit),
    ];
    let is = number.as_f64().unwrap_or(f64::NAN);
    for (rule, text, broken) in rules {
        if let Some(limit) = keywords.get(rule).filter(|limit| limit.as_f64().is_some_and(|limit| broken(is, limit))) {
            found.push(place.tell(rule, format!("must be {text} {limit}"), value));
        }
    }
    let range = match keywords.get("format").and_then(Value::as_str) {
        Some("int8") => i8::MIN.into()..=i8::MAX.into(),
        Some("int16") => i16::MIN.into()..=i16::MAX.into(),
        Some("int32") => i32::MIN.into()..=i32::MAX.into(),
        Some("int64") => i64::MIN.into()..=i64::MAX.into(),
        Some("uint8") => 0..=u8::MAX.into(),
        Some("uint16") => 0..=u16::MAX.into(),
        Some("uint32") => 0..=u32::MAX.into(),
        _ => return,
    };
    let is = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    if is.is_some_and(|is| !range.contains(&is)) && !found.iter().any(|found| found.pointer == place.pointer) {
        found.push(place.tell("format", format!("must be from {} to {}", range.start(), range.end()), value));
    }
}

/// A pattern, unless it means more here than to the small engine, which knows no classes beyond ASCII: such a one is left to the
/// type's own rules.
fn readable(pattern: &str) -> Option<regex_lite::Regex> {
    const UNICODE: [&str; 11] = ["\\w", "\\W", "\\d", "\\D", "\\s", "\\S", "\\b", "\\B", "\\p", "\\P", "(?i"];
    if UNICODE.iter().any(|class| pattern.contains(class)) { None } else { regex_lite::Regex::new(pattern).ok() }
}

fn texts(keywords: &Map<String, Value>, text: &str, value: &Value, place: &Place, found: &mut Vec<Found>) {
    let length = text.chars().count() as u64;
    if let Some(least) = number(keywords, "minLength").filter(|least| length < *least) {
        found.push(place.tell(
            "minLength",
            format!("must be {} long at least, not {length}", count_of(least, "character")),
            value,
        ));
    }
    if let Some(most) = number(keywords, "maxLength").filter(|most| length > *most) {
        found.push(place.tell(
            "maxLength",
            format!("must be {} long at most, not {length}", count_of(most, "character")),
            value,
        ));
    }
    if let Some(pattern) = keywords.get("pattern").and_then(Value::as_str)
        && readable(pattern).is_some_and(|pattern| !pattern.is_match(text))
    {
        found.push(place.tell("pattern", format!("must match `{pattern}`"), value));
    }
}
