//! What a route's parameters look like, as JSON schemas: made when the first request asks, which is when one does not fit.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{
    config::is_secret_name,
    service::{ParamPlace, RouteInfo},
};

/// The schemas of one route.
#[derive(Debug)]
pub(super) struct Schemas {
    params: Vec<Value>,
    definitions: Map<String, Value>,
    /// Of a body whose fields are parameters.
    fields: Value,
}

/// How far a reference is followed, and how deep a schema is searched: both may go in circles.
const MAX_STEPS: usize = 32;

impl Schemas {
    /// Those of a route, kept for the next request.
    pub(super) fn of(route: &'static RouteInfo) -> Arc<Self> {
        static KEPT: LazyLock<Mutex<HashMap<usize, Arc<Schemas>>>> = LazyLock::new(Mutex::default);
        // A route is a constant: its place is as good as a name.
        let place = std::ptr::from_ref(route).addr();
        if let Some(schemas) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return schemas.clone();
        }
        // Made without the lock: a type's schema is the user's code.
        let made = Arc::new(Self::make(route));
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).entry(place).or_insert(made).clone()
    }

    fn make(route: &RouteInfo) -> Self {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let params: Vec<_> = route.shapes.params.iter().map(|shape| shape.schema(&mut generator).to_value()).collect();
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (param, schema) in route.params.iter().zip(&params) {
            if matches!(param.place, ParamPlace::Field(_)) {
                properties.insert(param.name.to_owned(), schema.clone());
                if param.param.required {
                    required.push(param.name);
                }
            }
        }
        let fields = json!({"type": "object", "properties": properties, "required": required});
        Self { params, definitions: generator.take_definitions(true), fields }
    }

    /// Of the parameter at this place.
    pub(super) fn param(&self, index: usize) -> &Value {
        self.params.get(index).unwrap_or(&Value::Bool(true))
    }

    /// Of a body whose fields are parameters.
    pub(super) fn fields(&self) -> &Value {
        &self.fields
    }

    /// What a schema refers to, if it does nothing else.
    pub(super) fn resolve<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..MAX_STEPS {
            match self.referred(schema) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    /// What a schema refers to.
    pub(super) fn referred(&self, schema: &Value) -> Option<&Value> {
        let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
        self.definitions.get(&name.replace("~1", "/").replace("~0", "~"))
    }

    /// The schemas that a value of this one may have to fit: itself, what it refers to, and the parts that it is put together from.
    pub(super) fn parts<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        let (mut parts, mut next) = (vec![schema], 0);
        while let Some(part) = parts.get(next).copied().filter(|_| next < MAX_STEPS * 4) {
            let inner = ["allOf", "anyOf", "oneOf"].iter().filter_map(|key| part.get(key)?.as_array()).flatten();
            for inner in self.referred(part).into_iter().chain(inner) {
                if !parts.iter().any(|known| std::ptr::eq(*known, inner)) {
                    parts.push(inner);
                }
            }
            next += 1;
        }
        parts
    }

    /// What a value's field looks like.
    pub(super) fn property<'a>(&'a self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        self.parts(schema).into_iter().find_map(|part| part.get("properties")?.get(name))
    }

    /// The names that are known of a value's fields.
    pub(super) fn property_names<'a>(&'a self, schema: &'a Value) -> BTreeSet<&'a str> {
        let properties = self.parts(schema).into_iter().filter_map(|part| part.get("properties")?.as_object());
        properties.flatten().map(|(name, _)| &**name).collect()
    }

    /// The names of a value's fields; `None` where it may have any.
    pub(super) fn names<'a>(&'a self, schema: &'a Value) -> Option<BTreeSet<&'a str>> {
        let is_open = |part: &Value| part.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
        let names = self.property_names(schema);
        (!names.is_empty() && !self.parts(schema).into_iter().any(is_open)).then_some(names)
    }

    /// What a value's field, or an item of it, looks like; anything where nothing is said.
    pub(super) fn inner<'a>(&'a self, schema: &'a Value, name: &str) -> &'a Value {
        let index = name.parse::<usize>().ok();
        let of_part = |part: &'a Value| {
            let first = |index: usize| part.get("prefixItems")?.get(index);
            let item = index.and_then(|index| first(index).or_else(|| part.get("items")));
            part.get("properties")
                .and_then(|known| known.get(name))
                .or(item)
                .or_else(|| part.get("additionalProperties"))
        };
        self.parts(schema).into_iter().find_map(of_part).unwrap_or(&Value::Bool(true))
    }

    /// Whether a value of this schema may be of a type: `integer`, `array` …
    pub(super) fn may_be(&self, schema: &Value, ty: &str) -> bool {
        self.parts(schema).into_iter().any(|part| match part.get("type") {
            Some(Value::String(one)) => one == ty,
            Some(Value::Array(several)) => several.iter().any(|one| one == ty),
            _ => false,
        })
    }

    /// Whether a value of this schema must not be shown.
    pub(super) fn is_secret(&self, schema: &Value) -> bool {
        self.parts(schema).into_iter().any(marks_secret)
    }

    /// Whether a value of this schema has something in it that must not be shown.
    pub(super) fn holds_secret(&self, schema: &Value) -> bool {
        let mut seen = vec![schema];
        let mut next = 0;
        while let Some(part) = seen.get(next).copied() {
            if marks_secret(part) {
                return true;
            }
            let named = part.get("properties").and_then(Value::as_object);
            if named.is_some_and(|named| named.keys().any(|name| is_secret_name(name))) {
                return true;
            }
            let lists = ["allOf", "anyOf", "oneOf", "prefixItems"].iter().filter_map(|key| part.get(key)?.as_array());
            let inner = lists
                .flatten()
                .chain(["items", "additionalProperties"].iter().filter_map(|key| part.get(key)))
                .chain(named.into_iter().flat_map(Map::values))
                .chain(self.referred(part));
            for inner in inner {
                // Every schema is looked at once: definitions go in circles.
                if !seen.iter().any(|known| std::ptr::eq(*known, inner)) {
                    seen.push(inner);
                }
            }
            next += 1;
        }
        false
    }
}

fn marks_secret(schema: &Value) -> bool {
    schema.get("writeOnly") == Some(&Value::Bool(true))
        || schema.get("format").is_some_and(|format| format == "password")
}

/// The schema of one parameter, for when it is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct ParamSchema {
    pub(super) route: &'static RouteInfo,
    pub(super) index: usize,
}

/// What a text may stand for where the type that reads it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) scalar: Scalar,
    pub(super) list: bool,
    pub(super) object: bool,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Number,
    Bool,
}

impl Kind {
    pub(super) fn of(schemas: &Schemas, schema: &Value) -> Self {
        let is = |schema, ty| schemas.may_be(schema, ty);
        let items = schemas.parts(schema).into_iter().find_map(|part| part.get("items"));
        let list = is(schema, "array");
        let one = if list { items.unwrap_or(schema) } else { schema };
        let scalar = match () {
            () if is(one, "string") => Scalar::Text,
            () if is(one, "integer") || is(one, "number") => Scalar::Number,
            () if is(one, "boolean") => Scalar::Bool,
            () => Scalar::Text,
        };
        Self { scalar, list, object: is(schema, "object") }
    }
}

impl ParamSchema {
    /// What the parameter, or one of its fields, stands for.
    pub(super) fn kind(self, field: Option<&str>) -> Kind {
        let schemas = Schemas::of(self.route);
        let schema = schemas.param(self.index);
        match field {
            Some(field) => Kind::of(&schemas, schemas.property(schema, field).unwrap_or(&Value::Bool(true))),
            None => Kind::of(&schemas, schema),
        }
    }

    /// The names of the parameter's fields, as far as they are known.
    pub(super) fn names(self) -> Vec<String> {
        let schemas = Schemas::of(self.route);
        schemas.property_names(schemas.param(self.index)).into_iter().map(str::to_owned).collect()
    }

    /// Whether the parameter has a field of this name.
    pub(super) fn has(self, field: &str) -> bool {
        let schemas = Schemas::of(self.route);
        schemas.names(schemas.param(self.index)).is_none_or(|names| names.contains(field))
    }
}
