//! Methods that an event or the messages of a queue fire.

use serde_json::{Map, json};

use super::{About, Document, operation, receives};
use crate::{
    event::EventName,
    protocol::{Shape, Value, names},
    service::{ConsumerInfo, DispatchInfo, EventHandlerInfo, HandlerKind, ServiceDescriptor},
};

pub(super) fn add(document: &mut Document, service: &ServiceDescriptor) {
    for handler in service.events {
        for event in handler.events {
            add_event(document, service, handler, event);
        }
    }
    for event in service.dispatches {
        add_dispatched(document, service, event);
    }
    for consumer in service.consumers {
        add_consumer(document, service, consumer);
    }
}

/// The channel of an event.
fn channel_of(document: &mut Document, EventName { source, name }: &EventName) -> String {
    let channel = format!("event.{source}.{name}");
    let exchange = names::event_exchange(source);
    document.channels.entry(&channel).or_insert_with(|| {
        json!({
            "address": name,
            "messages": {},
            "bindings": { "amqp": {
                "is": "routingKey",
                "exchange": { "name": exchange.as_str(), "type": "topic", "durable": true, "autoDelete": false },
                "bindingVersion": "0.3.0",
            } },
        })
    });
    channel
}

fn add_dispatched(document: &mut Document, service: &ServiceDescriptor, info: &DispatchInfo) {
    let EventName { source, name } = info.event;
    let channel = channel_of(document, &info.event);
    // As handlers read it, which are the ones who ask.
    let message = message(document, &channel, name, Some(info.shape));
    let about = About { service: service.name, title: name, doc: "" };
    let mut operation = operation("send", &channel, &message, about);
    operation["x-kinoko-dispatch"] = json!({ "source": source, "event": name });
    document.operations.insert(format!("dispatch.{}.{source}.{name}", service.name), operation);
}

fn add_event(document: &mut Document, service: &ServiceDescriptor, handler: &EventHandlerInfo, event: &EventName) {
    let EventName { source, name } = event;
    let channel = channel_of(document, event);
    let message = message(document, &channel, name, handler.shape);
    let id = match handler.events {
        [_] => format!("event.{}.{}", service.name, handler.method),
        _ => format!("event.{}.{}.{name}", service.name, handler.method),
    };
    let about = About { service: service.name, title: handler.method, doc: handler.doc };
    let mut operation = receives(&channel, &message, about);
    let mut told = handler.handling.to_json();
    told["kind"] = kind(handler.kind).into();
    let queue = handler.shared_queue(service.name, event);
    told["queue"] = match handler.kind {
        HandlerKind::Broadcast => format!("{queue}-{{instance}}").into(),
        HandlerKind::ServicePool | HandlerKind::Singleton => queue.as_str().into(),
    };
    told["reliable_delivery"] = handler.reliable.into();
    told["source"] = (*source).into();
    told["event"] = (*name).into();
    operation["x-kinoko-handler"] = told;
    service.access.tell(handler.index, &mut operation);
    document.operations.insert(id, operation);
}

fn add_consumer(document: &mut Document, service: &ServiceDescriptor, consumer: &ConsumerInfo) {
    let channel = format!("queue.{}", consumer.queue);
    document.channels.entry(&channel).or_insert_with(|| {
        json!({
            "address": consumer.queue,
            "messages": {},
            "bindings": { "amqp": {
                "is": "queue",
                "queue": { "name": consumer.queue, "durable": true, "exclusive": false, "autoDelete": false },
                "bindingVersion": "0.3.0",
            } },
        })
    });
    let message = message(document, &channel, consumer.queue, consumer.shape);
    let id = format!("consume.{}.{}", service.name, consumer.method);
    let about = About { service: service.name, title: consumer.method, doc: consumer.doc };
    let mut operation = receives(&channel, &message, about);
    let mut told = consumer.handling.to_json();
    told["kind"] = "consume".into();
    told["queue"] = consumer.queue.into();
    told["declare"] = consumer.declare.into();
    told["exchange"] = json!(consumer.bind.map(|bind| bind.to_json()));
    operation["x-kinoko-handler"] = told;
    service.access.tell(consumer.index, &mut operation);
    document.operations.insert(id, operation);
}

/// The message of a channel with this payload. Handlers of one event may read it by different types: then it has several.
fn message(document: &mut Document, channel: &str, name: &str, shape: Option<Shape>) -> String {
    let mut message = json!({ "name": name });
    if let Some(shape) = shape {
        message["payload"] = document.schemas.taken(&shape);
    }
    let messages = document.channels[channel]["messages"].as_object_mut();
    let messages: &mut Map<String, Value> = messages.expect("a channel is made with a map of messages");
    let known = messages.iter().find(|(_, known)| **known == message).map(|(key, _)| key.clone());
    known.unwrap_or_else(|| {
        let key = match messages.len() {
            0 => "payload".to_owned(),
            others => format!("payload{}", others + 1),
        };
        messages.insert(key.clone(), message);
        key
    })
}

fn kind(kind: HandlerKind) -> &'static str {
    match kind {
        HandlerKind::ServicePool => "service_pool",
        HandlerKind::Singleton => "singleton",
        HandlerKind::Broadcast => "broadcast",
    }
}
