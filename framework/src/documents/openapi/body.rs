//! The body of an operation's request.

use serde_json::{Map, json};

use super::parameters::without_null;
use crate::{
    documents::schemas::Schemas,
    protocol::{Shape, Value},
    service::{BodyFormat, ParamPlace, RouteInfo, RouteParam},
};

pub(super) fn body(route: &RouteInfo, schemas: &mut Schemas) -> Option<Value> {
    let params = || route.params.iter().zip(route.shapes.params);
    let whole = params().find_map(|(param, shape)| match param.place {
        ParamPlace::Body(format) => Some((format, param, shape)),
        _ => None,
    });
    if let Some((format, param, shape)) = whole {
        let schema = schemas.param(&param.param, shape);
        return Some(described(format, schema, param.param.required, param.doc));
    }
    let fields: Vec<_> = params()
        .filter_map(|(param, shape)| match param.place {
            ParamPlace::Field(format) => Some((format, param, shape)),
            _ => None,
        })
        .collect();
    let (format, ..) = *fields.first()?;
    let required = fields.iter().any(|(_, param, _)| param.param.required);
    Some(described(format, object(&fields, schemas), required, ""))
}

/// The parameters as the fields of one object.
fn object(fields: &[(BodyFormat, &RouteParam, &Shape)], schemas: &mut Schemas) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (format, param, shape) in fields {
        let mut schema = schemas.param(&param.param, shape);
        if *format != BodyFormat::Json {
            schema = without_null(schema);
        }
        if !param.doc.is_empty() {
            schema["description"] = param.doc.into();
        }
        properties.insert(param.name.to_owned(), schema);
        if param.param.required {
            required.push(param.name);
        }
    }
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    if fields.iter().any(|(format, ..)| *format == BodyFormat::Multipart) {
        // Other fields are let pass, but their names are part of a head, which has no place for these.
        object["propertyNames"] = json!({ "pattern": "^[^\\x00-\\x1f\\x7f]*$" });
    }
    object
}

fn described(format: BodyFormat, schema: Value, required: bool, doc: &str) -> Value {
    let media = match format {
        BodyFormat::Json => "application/json",
        BodyFormat::Form => "application/x-www-form-urlencoded",
        BodyFormat::Multipart => "multipart/form-data",
    };
    let mut body = json!({ "required": required, "content": { media: { "schema": schema } } });
    if !doc.is_empty() {
        body["description"] = doc.into();
    }
    body
}
