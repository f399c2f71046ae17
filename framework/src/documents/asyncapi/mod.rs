//! AsyncAPI 3.0: what a program answers, handles, consumes and dispatches over the broker, and answers over websockets. Timers, which it
//! has no place for, stand beside it.

mod messages;
mod rpc;
mod sockets;
mod timers;

pub(super) use self::rpc::errors;
use schemars::generate::SchemaSettings;
use serde_json::{Map, json};

use super::{Info, schemas::Schemas, text::describe};
use crate::{protocol::Value, service::ServiceDescriptor};

/// The document of these services.
pub(crate) fn asyncapi(info: &Info, services: &[&'static ServiceDescriptor]) -> Value {
    // Schemas as AsyncAPI reads them where they do not say otherwise.
    let mut document =
        Document { schemas: Schemas::new(SchemaSettings::draft07()), channels: Map::new(), operations: Map::new() };
    for service in services {
        rpc::add(&mut document, service, &info.rpc_exchange);
        messages::add(&mut document, service);
        sockets::add(&mut document, service);
    }
    let timers: Vec<_> = services.iter().flat_map(|service| timers::of(service)).collect();
    let tags: Vec<_> = services.iter().map(|service| tag(service)).collect();
    let mut info = info.to_json();
    info["tags"] = tags.into();
    let mut json = json!({
        "asyncapi": "3.0.0",
        "info": info,
        "defaultContentType": "application/json",
        "channels": document.channels,
        "operations": document.operations,
        "components": {},
        "x-kinoko-timers": timers,
    });
    document.schemas.finish(&mut json);
    json
}

struct Document {
    schemas: Schemas,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
}

/// An operation that the messages of a channel fire, over the broker.
fn receives(channel: &str, message: &str, about: About<'_>) -> Value {
    let mut operation = operation("receive", channel, message, about);
    operation["bindings"] = json!({ "amqp": { "ack": true, "bindingVersion": "0.3.0" } });
    operation
}

/// An operation: the program receives the messages of a channel, or sends them.
fn operation(action: &str, channel: &str, message: &str, about: About<'_>) -> Value {
    let mut operation = json!({
        "action": action,
        "title": about.title,
        "channel": { "$ref": pointer(&["channels", channel]) },
        "messages": [{ "$ref": pointer(&["channels", channel, "messages", message]) }],
        "tags": [{ "name": about.service }],
    });
    describe(&mut operation, about.doc, None);
    operation
}

/// What an operation says of itself.
struct About<'a> {
    service: &'a str,
    title: &'a str,
    doc: &'a str,
}

fn tag(service: &ServiceDescriptor) -> Value {
    match service.doc {
        "" => json!({ "name": service.name }),
        doc => json!({ "name": service.name, "description": doc }),
    }
}

/// A reference within the document. The names of services, methods and events need escapes only as JSON pointers do.
fn pointer(parts: &[&str]) -> String {
    parts.iter().fold("#".to_owned(), |pointer, part| pointer + "/" + &escaped(part))
}

fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1").replace('%', "%25").replace('#', "%23").replace(' ', "%20")
}
