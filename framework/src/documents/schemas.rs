//! The schemas of one document: of what comes in and of what goes out, under two names where a type looks otherwise on its way out.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, json};

use crate::protocol::{Param, Shape, Value};

/// Where documents keep schemas.
const PLACE: &str = "/components/schemas";
/// Where those of what goes out are looked for until [`Schemas::finish`] knows their names.
const GIVEN: &str = "/components/given";

/// Makes schemas, and keeps what they refer to.
pub(super) struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new(settings: SchemaSettings) -> Self {
        let settings = settings.with_transform(RecursiveTransform(bound));
        let at = |place: &'static str| settings.clone().with(|settings| settings.definitions_path = place.into());
        Self { taken: at(PLACE).for_deserialize().into_generator(), given: at(GIVEN).for_serialize().into_generator() }
    }

    /// A type as it comes in.
    pub(super) fn taken(&mut self, shape: &Shape) -> Value {
        let schema = shape.schema(&mut self.taken);
        transformed(schema, &mut self.taken)
    }

    /// A parameter, with its default where that can be told.
    pub(super) fn param(&mut self, param: &Param, shape: &Shape) -> Value {
        let mut schema = self.taken(shape);
        if let Some(default) = param.default.and_then(|text| serde_json::from_str::<Value>(text).ok())
            && !param.sensitive
        {
            schema["default"] = default;
        }
        schema
    }

    /// A type as it goes out.
    pub(super) fn given(&mut self, shape: &Shape) -> Value {
        self.given_by(|generator| shape.schema(generator))
    }

    /// What a function makes of something that goes out.
    pub(super) fn given_by(&mut self, make: impl FnOnce(&mut SchemaGenerator) -> Schema) -> Value {
        let schema = make(&mut self.given);
        transformed(schema, &mut self.given)
    }

    /// What a schema of something that comes in refers to, if it is nothing but a reference.
    #[cfg(feature = "http")]
    pub(super) fn resolved(&mut self, schema: Value) -> Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|reference| named(reference, PLACE));
        let definition = name.and_then(|name| self.taken.definitions().get(&name).cloned());
        match definition.map(Schema::try_from) {
            Some(Ok(definition)) => transformed(definition, &mut self.taken),
            _ => schema,
        }
    }

    /// Puts all that the document refers to into it.
    pub(super) fn finish(mut self, document: &mut Value) {
        let taken = self.taken.take_definitions(true);
        let given = self.given.take_definitions(true);
        let names = Names::of(&taken, &given);
        let mut schemas = Map::new();
        for (name, schema) in taken {
            schemas.insert(names.taken[&name].clone(), schema);
        }
        for (name, schema) in given {
            schemas.entry(&names.given[&name]).or_insert(schema);
        }
        document["components"]["schemas"] = Value::Object(schemas);
        names.settle(document);
        let reached = reached(document);
        if let Some(schemas) = document.pointer_mut(PLACE).and_then(Value::as_object_mut) {
            schemas.retain(|name, _| reached.contains(name));
        }
    }
}

/// Says how large an integer may be: a format is a word that not everybody knows, and schemars says no more of the larger ones.
fn bound(schema: &mut Schema) {
    let (least, most) = match schema.get("format").and_then(Value::as_str) {
        Some("int32") => (json!(i32::MIN), json!(i32::MAX)),
        Some("uint32") => (json!(u32::MIN), json!(u32::MAX)),
        Some("int64" | "int") => (json!(i64::MIN), json!(i64::MAX)),
        Some("uint64" | "uint") => (json!(u64::MIN), json!(u64::MAX)),
        _ => return,
    };
    let Some(schema) = schema.as_object_mut() else { return };
    for (key, exclusive, bound) in [("minimum", "exclusiveMinimum", least), ("maximum", "exclusiveMaximum", most)] {
        if !schema.contains_key(exclusive) {
            schema.entry(key).or_insert(bound);
        }
    }
}

fn transformed(mut schema: Schema, generator: &mut SchemaGenerator) -> Value {
    for transform in generator.transforms_mut() {
        transform.transform(&mut schema);
    }
    match schema.to_value() {
        // The same, and something that a description can be added to.
        Value::Bool(true) => json!({}),
        schema => schema,
    }
}

/// What each definition is called in the end.
struct Names {
    taken: BTreeMap<String, String>,
    given: BTreeMap<String, String>,
}

impl Names {
    fn of(taken: &Map<String, Value>, given: &Map<String, Value>) -> Self {
        let mut used = BTreeSet::new();
        let mut unused = |name: String| {
            let mut name: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
            while !used.insert(name.clone()) {
                name.push('_');
            }
            name
        };
        let taken_names: BTreeMap<_, _> = taken.keys().map(|name| (name.clone(), unused(name.clone()))).collect();
        let differ = differing(taken, given);
        let given_names = given.keys().map(|name| {
            let new = match taken_names.get(name) {
                Some(same) if !differ.contains(&**name) => same.clone(),
                Some(_) => unused(format!("{name}Output")),
                None => unused(name.clone()),
            };
            (name.clone(), new)
        });
        Self { given: given_names.collect(), taken: taken_names }
    }

    /// Leads each reference to where it is in the end.
    fn settle(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(reference) if key == "$ref" => {
                            if let Some(name) = self.name(reference) {
                                *reference = format!("#{PLACE}/{name}");
                            }
                        }
                        value => self.settle(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.settle(item)),
            _ => {}
        }
    }

    fn name(&self, reference: &str) -> Option<&String> {
        let taken = || self.taken.get(&named(reference, PLACE)?);
        let given = || self.given.get(&named(reference, GIVEN)?);
        taken().or_else(given)
    }
}

/// What the keys of components may consist of, in both kinds of document.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// The names under which something goes out that looks otherwise than what comes in. That a field is always there on the way out is no
/// reason for a second type: one that may be missing covers it.
fn differing<'a>(taken: &Map<String, Value>, given: &'a Map<String, Value>) -> BTreeSet<&'a str> {
    let mut differ = BTreeSet::new();
    loop {
        let known = differ.len();
        for (name, schema) in given {
            let Some(other) = taken.get(name).filter(|_| !differ.contains(&**name)) else { continue };
            let mut leads_there = false;
            references(schema, &mut |reference| {
                leads_there |= named(reference, GIVEN).is_some_and(|name| differ.contains(&*name));
            });
            if leads_there || comparable(other) != comparable(schema) {
                differ.insert(&**name);
            }
        }
        if differ.len() == known {
            return differ;
        }
    }
}

/// A schema without what does not count, and with one place for all references.
fn comparable(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            // An array: a property of that name has a schema.
            let counts = map.iter().filter(|(key, value)| *key != "required" || !value.is_array());
            counts.map(|(key, value)| (key.clone(), comparable(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(comparable).collect(),
        Value::String(text) if text.starts_with('#') => text.replace(GIVEN, PLACE).into(),
        other => other.clone(),
    }
}

/// Calls with each reference within a schema or a document.
pub(super) fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(reference) if key == "$ref" => found(reference),
                    value => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// The names of the schemas that something outside of them leads to.
fn reached(document: &Value) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = Vec::new();
    let collect = |value: &Value, open: &mut Vec<String>| {
        references(value, &mut |reference| open.extend(named(reference, PLACE)));
    };
    if let Value::Object(parts) = document {
        for (key, part) in parts {
            match part {
                Value::Object(components) if key == "components" => {
                    for (_, components) in components.iter().filter(|(kind, _)| *kind != "schemas") {
                        collect(components, &mut open);
                    }
                }
                part => collect(part, &mut open),
            }
        }
    }
    while let Some(name) = open.pop() {
        if let Some(schema) = document["components"]["schemas"].get(&name).filter(|_| reached.insert(name)) {
            collect(schema, &mut open);
        }
    }
    reached
}

/// The name that a reference to this place has: a JSON pointer in a URI.
fn named(reference: &str, place: &str) -> Option<String> {
    let name = reference.strip_prefix('#')?.strip_prefix(place)?.strip_prefix('/')?;
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped =
            (*first == b'%').then(|| u8::from_str_radix(str::from_utf8(after.get(..2)?).ok()?, 16).ok()).flatten();
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    Some(String::from_utf8(bytes).ok()?.replace("~1", "/").replace("~0", "~"))
}
