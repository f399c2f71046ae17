//! The parameters of an operation: path, query, headers, cookies.

use serde_json::json;

use super::paths::PathNames;
use crate::{
    documents::schemas::Schemas,
    protocol::{Shape, Value},
    service::{ParamPlace, RouteInfo, RouteParam},
};

pub(super) fn parameters(route: &RouteInfo, names: &PathNames, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (param, shape) in route.params.iter().zip(route.shapes.params) {
        let place = match param.place {
            ParamPlace::Path => "path",
            ParamPlace::Query => "query",
            ParamPlace::Header => "header",
            ParamPlace::Cookie => "cookie",
            ParamPlace::Body(_) | ParamPlace::Field(_) => continue,
        };
        match fields(param, shape, schemas) {
            Some(fields) => parameters.extend(fields),
            None => {
                let renamed = names.iter().find(|(own, _)| place == "path" && own == param.name);
                let name = renamed.map_or(param.name, |(_, written)| written);
                let schema = without_null(schemas.param(&param.param, shape));
                // Without a value it is a list of none.
                let may_be_empty = place == "query" && schema.get("type").is_some_and(|name| name == "array");
                let required = (param.param.required && !may_be_empty) || place == "path";
                parameters.push(parameter(name, place, required, param.doc, schema));
            }
        }
    }
    parameters
}

fn parameter(name: &str, place: &str, required: bool, doc: &str, schema: Value) -> Value {
    let mut parameter = json!({ "name": name, "in": place, "schema": schema });
    if required {
        parameter["required"] = true.into();
    }
    if !doc.is_empty() {
        parameter["description"] = doc.into();
    }
    parameter
}

/// A parameter that takes its fields from the query: one for each of them.
fn fields(param: &RouteParam, shape: &Shape, schemas: &mut Schemas) -> Option<Vec<Value>> {
    if param.place != ParamPlace::Query {
        return None;
    }
    let schema = without_null(schemas.taken(shape));
    let schema = schemas.resolved(schema);
    let properties = schema.get("properties")?.as_object()?;
    let needed = |name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        param.param.required && required.is_some_and(|names| names.iter().any(|known| known == name))
    };
    let fields = properties.iter().map(|(name, schema)| {
        let mut schema = without_null(schema.clone());
        // Where a reader looks for it. Beside a reference it would say something else of the type than the type does.
        let doc = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        parameter(name, "query", needed(name), doc.as_ref().and_then(Value::as_str).unwrap_or_default(), schema)
    });
    Some(fields.collect())
}

/// A schema without null, which only JSON has a way to write: elsewhere what is null is left out.
pub(super) fn without_null(mut schema: Value) -> Value {
    let Some(map) = schema.as_object_mut() else { return schema };
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    // What is left out is null already.
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    for choice in ["anyOf", "oneOf"] {
        let Some(Value::Array(choices)) = map.get_mut(choice) else { continue };
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = &choices[..] {
            let only = only.clone();
            map.remove(choice);
            map.extend(only);
        }
    }
    schema
}
