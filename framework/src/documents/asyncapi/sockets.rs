//! Methods that a message of a websocket fires, and what sockets are sent.

use serde_json::{Map, json};

use super::{About, Document, operation, pointer, rpc};
use crate::{
    protocol::Value,
    service::{MethodInfo, ServiceDescriptor, millis},
};

pub(super) fn add(document: &mut Document, service: &ServiceDescriptor) {
    if service.sockets.is_empty() {
        return;
    }
    let channel = format!("websocket.{}", service.name);
    let mut messages = Map::from_iter([("event".to_owned(), event())]);
    for method in service.sockets {
        messages.insert(method.name.to_owned(), json!({ "name": method.name, "payload": request(method, document) }));
        messages.insert(reply_of(method), json!({ "name": reply_of(method), "payload": result(method, document) }));
        let operation = calls(service, &channel, method);
        document.operations.insert(format!("{channel}.{}", method.name), operation);
    }
    let about = About {
        service: service.name,
        title: "events",
        doc: "What the service sends on its own; `connected`, with the socket's id, comes first.",
    };
    document.operations.insert(format!("socket-events.{}", service.name), operation("send", &channel, "event", about));
    document.channels.insert(
        channel,
        json!({
            "address": service.socket_path(),
            "messages": messages,
            "bindings": { "ws": { "method": "GET", "bindingVersion": "0.1.0" } },
        }),
    );
}

fn reply_of(method: &MethodInfo) -> String {
    format!("{}.reply", method.name)
}

fn calls(service: &ServiceDescriptor, channel: &str, method: &MethodInfo) -> Value {
    let about = About { service: service.name, title: method.name, doc: method.doc };
    let mut operation = operation("receive", channel, method.name, about);
    operation["reply"] = json!({
        "channel": { "$ref": pointer(&["channels", channel]) },
        "messages": [{ "$ref": pointer(&["channels", channel, "messages", &reply_of(method)]) }],
    });
    operation["x-kinoko-websocket"] = json!({
        "service": service.name,
        "method": method.name,
        "path": service.socket_path(),
        "timeout_ms": method.timeout.map(millis),
    });
    service.access.tell(method.index, &mut operation);
    operation
}

const CORRELATION: &str = "Any value; the answer's is the request's.";

fn request(method: &MethodInfo, document: &mut Document) -> Value {
    let data = rpc::arguments(method, &mut document.schemas);
    let required = if data.get("required").is_some() { json!(["method", "data"]) } else { json!(["method"]) };
    json!({
        "type": "object",
        "properties": {
            "type": { "const": "rpc" },
            "method": { "const": method.name },
            "data": data,
            "correlation_id": { "description": CORRELATION },
        },
        "required": required,
    })
}

fn result(method: &MethodInfo, document: &mut Document) -> Value {
    let answer = |success: bool, key: &str, value: Value| {
        json!({
            "type": "object",
            "properties": {
                "type": { "const": "result" },
                "success": { "const": success },
                key: value,
                "correlation_id": { "description": CORRELATION },
            },
            "required": ["type", "success", key, "correlation_id"],
        })
    };
    let data = document.schemas.given(&method.shapes.ok);
    let error = rpc::errors(method, &mut document.schemas);
    json!({ "oneOf": [answer(true, "data", data), answer(false, "error", error)] })
}

fn event() -> Value {
    json!({
        "name": "event",
        "payload": {
            "type": "object",
            "properties": { "type": { "const": "event" }, "event": { "type": "string" }, "data": {} },
            "required": ["type", "event", "data"],
        },
    })
}
