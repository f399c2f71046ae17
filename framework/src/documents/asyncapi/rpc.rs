//! Methods that an RPC fires: Nameko's way, which any peer can take.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, json};

use super::{About, Document, pointer, receives};
use crate::{
    documents::schemas::Schemas,
    protocol::{FaultMeta, Shape, Value, VariantInfo, names},
    service::{MethodInfo, ServiceDescriptor, millis},
};

pub(super) fn add(document: &mut Document, service: &ServiceDescriptor, exchange: &str) {
    for method in service.methods {
        let id = format!("rpc.{}.{}", service.name, method.name);
        let replies = format!("{id}.reply");
        let binding = json!({ "type": "topic", "durable": true, "autoDelete": false, "name": exchange });
        let request = request(method, &mut document.schemas);
        document.channels.insert(
            id.clone(),
            json!({
                "address": names::rpc_routing_key(service.name, method.name).as_str(),
                "messages": { "request": { "payload": request } },
                "bindings": { "amqp": { "is": "routingKey", "exchange": binding, "bindingVersion": "0.3.0" } },
            }),
        );
        let reply = reply(method, &mut document.schemas);
        // Each caller has a queue of its own.
        document
            .channels
            .insert(replies.clone(), json!({ "address": null, "messages": { "reply": { "payload": reply } } }));
        let about = About { service: service.name, title: method.name, doc: method.doc };
        let mut operation = receives(&id, "request", about);
        operation["reply"] = json!({
            "address": {
                "location": "$message.header#/reply_to",
                "description": "The queue that the request's property `reply_to` names; `correlation_id` is the request's.",
            },
            "channel": { "$ref": pointer(&["channels", &replies]) },
            "messages": [{ "$ref": pointer(&["channels", &replies, "messages", "reply"]) }],
        });
        let short = (!service.nameko_wire).then(|| names::short_queue(service.name).to_string());
        operation["x-kinoko-rpc"] = json!({
            "service": service.name,
            "method": method.name,
            "queue": names::rpc_queue(service.name).as_str(),
            "short_queue": short,
            "timeout_ms": method.timeout.map(millis),
        });
        service.access.tell(method.index, &mut operation);
        document.operations.insert(id, operation);
    }
}

/// The body of a request. Arguments may come by position as well; by name is how they can be described.
fn request(method: &MethodInfo, schemas: &mut Schemas) -> Value {
    let kwargs = arguments(method, schemas);
    let doc = "Arguments by position, in the order in which `kwargs` is to be read; those are left out of `kwargs`.";
    json!({
        "type": "object",
        "properties": { "args": { "type": "array", "maxItems": 0, "description": doc }, "kwargs": kwargs },
        "required": ["args", "kwargs"],
    })
}

/// The arguments, by name.
pub(super) fn arguments(method: &MethodInfo, schemas: &mut Schemas) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (param, shape) in method.params.iter().zip(method.shapes.params) {
        let mut schema = schemas.param(param, shape);
        if param.sensitive {
            schema["x-kinoko-sensitive"] = true.into();
        }
        properties.insert(param.name.to_owned(), schema);
        if param.required {
            required.push(param.name);
        }
    }
    let order: Vec<_> = method.params.iter().map(|param| param.name).collect();
    let mut kwargs = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "x-kinoko-order": order,
    });
    if !required.is_empty() {
        kwargs["required"] = json!(required);
    }
    kwargs
}

/// The body of a reply: a result, or an error.
fn reply(method: &MethodInfo, schemas: &mut Schemas) -> Value {
    let result = schemas.given(&method.shapes.ok);
    let error = errors(method, schemas);
    json!({
        "oneOf": [
            {
                "type": "object",
                "properties": { "result": result, "error": { "type": "null" } },
                "required": ["result", "error"],
            },
            {
                "type": "object",
                "properties": { "result": { "type": "null" }, "error": error },
                "required": ["result", "error"],
            },
        ],
    })
}

/// The errors that a method may end with: its own, then any.
pub(in crate::documents) fn errors(method: &MethodInfo, schemas: &mut Schemas) -> Value {
    let mut errors = Vec::new();
    variants(method.shapes.errors, schemas, &mut errors);
    let any = schemas.given_by(|generator| generator.subschema_for::<RemoteError>());
    if errors.is_empty() {
        return any;
    }
    errors.push(any);
    json!({ "anyOf": errors })
}

fn variants(variants: &[VariantInfo], schemas: &mut Schemas, errors: &mut Vec<Value>) {
    for variant in variants {
        match variant {
            VariantInfo::Own { meta, doc, fields } => errors.push(error(meta, doc, fields, schemas)),
            VariantInfo::Forwarded(inner) => self::variants(inner, schemas, errors),
            VariantInfo::Internal => {}
        }
    }
}

fn error(meta: &FaultMeta, doc: &str, fields: &[(&'static str, Shape)], schemas: &mut Schemas) -> Value {
    let mut properties = json!({
        "code": { "type": "string", "const": meta.code },
        "exc_type": { "type": "string", "const": meta.exc_type },
    });
    let mut required = vec!["code", "exc_type"];
    if !fields.is_empty() {
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        let fields: Map<_, _> = fields.iter().map(|(name, shape)| ((*name).to_owned(), schemas.given(shape))).collect();
        properties["data"] = json!({ "type": "object", "properties": fields, "required": names });
        required.push("data");
    }
    let any = schemas.given_by(|generator| generator.subschema_for::<RemoteError>());
    let mut error = json!({
        "title": meta.code,
        "allOf": [any, { "type": "object", "properties": properties, "required": required }],
    });
    if !doc.is_empty() {
        error["description"] = doc.into();
    }
    error
}

/// What is in a reply that is an error: Nameko's keys, and kinoko's.
struct RemoteError;

impl JsonSchema for RemoteError {
    fn schema_name() -> Cow<'static, str> {
        "RemoteError".into()
    }

    fn schema_id() -> Cow<'static, str> {
        "kinoko::RemoteError".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "An error as it travels: Nameko's keys, and kinoko's.",
            "properties": {
                "exc_type": { "type": "string", "description": "The class, or the variant." },
                "exc_path": { "type": "string", "description": "Where Python finds the class." },
                "exc_args": { "type": "array", "description": "What the class is made with." },
                "value": { "type": "string", "description": "What went wrong, for people." },
                "code": { "type": "string", "description": "What went wrong, for programs." },
                "data": { "type": "object", "description": "The fields of the variant." },
                "retryable": { "type": "boolean", "description": "Whether the same call may be repeated." },
                "http": { "type": "integer", "description": "The HTTP status." },
                "grpc": { "type": "string", "description": "The gRPC status code." },
            },
            "required": ["exc_type", "exc_path", "exc_args", "value"],
        })
    }
}
