//! Methods that a message or the clock fires.

use serde_json::json;

use crate::{
    protocol::{Value, names},
    service::{
        ConsumerInfo, EventHandlerInfo, HandlerKind, HandlingInfo, RetryPolicy, Schedule, ServiceDescriptor, TimerInfo,
        millis,
    },
};

/// `on_placed(OrderPlaced) of orders: order_placed; 3 attempts`
pub(crate) fn event(handler: &EventHandlerInfo) -> String {
    let source = handler.events.first().map_or("", |event| event.source);
    let names: Vec<_> = handler.events.iter().map(|event| event.name).collect();
    let mut text = format!("{}({}) of {source}: {}", handler.method, handler.payload, names.join(", "));
    match handler.kind {
        HandlerKind::ServicePool => {}
        HandlerKind::Singleton => text.push_str("; singleton"),
        HandlerKind::Broadcast => text.push_str("; broadcast"),
    }
    if !handler.reliable && handler.kind != HandlerKind::Broadcast {
        text.push_str("; unreliable");
    }
    text + &handling(&handler.handling)
}

/// `on_letter(&str) from letters, bound to post by letter.#`
pub(crate) fn consumer(consumer: &ConsumerInfo) -> String {
    let mut text = format!("{}({}) from {}", consumer.method, consumer.payload, consumer.queue);
    if let Some(bind) = consumer.bind {
        text.push_str(&format!(", bound to {}", bind.exchange));
        if !bind.routing_key.is_empty() {
            text.push_str(&format!(" by {}", bind.routing_key));
        }
    }
    text + &handling(&consumer.handling)
}

/// `sweep() every 10s; once per fleet`
pub(crate) fn timer(timer: &TimerInfo) -> String {
    let mut text = match timer.schedule {
        Schedule::Every(every) => format!("{}() every {every:?}", timer.method),
        Schedule::Cron { expression, zone } => format!("{}() at {expression} {zone}", timer.method),
    };
    if timer.eager {
        text.push_str("; eager");
    }
    if timer.once_per_fleet {
        text.push_str("; once per fleet");
    }
    text
}

/// What differs from the defaults.
fn handling(info: &HandlingInfo) -> String {
    let mut parts = Vec::new();
    if info.retry.attempts != RetryPolicy::DEFAULT.attempts {
        parts.push(match info.retry.attempts {
            Some(attempts) => format!("{attempts} attempts"),
            None => "attempts without end".to_owned(),
        });
    }
    if let Some(batch) = info.batch {
        parts.push(format!("batches of {}", batch.size));
    }
    if let Some(field) = info.ordered_by {
        parts.push(format!("ordered by {field}"));
    }
    if let Some(concurrency) = info.concurrency {
        parts.push(format!("{concurrency} at once"));
    }
    if info.idempotent.is_some() {
        parts.push("idempotent".to_owned());
    }
    parts.into_iter().map(|part| format!("; {part}")).collect()
}

pub(super) fn event_json(service: &ServiceDescriptor, handler: &EventHandlerInfo) -> Value {
    let events = handler.events.iter().map(|event| {
        let queue = match handler.kind {
            HandlerKind::Singleton => names::singleton_queue(event.source, event.name).to_string(),
            HandlerKind::ServicePool | HandlerKind::Broadcast => {
                let own = names::service_pool_queue(event.source, event.name, service.name, handler.method);
                // Each instance has one of its own.
                if handler.kind == HandlerKind::Broadcast { format!("{own}-{{instance}}") } else { own.to_string() }
            }
        };
        json!({ "source": event.source, "name": event.name, "queue": queue })
    });
    let kind = match handler.kind {
        HandlerKind::ServicePool => "service_pool",
        HandlerKind::Singleton => "singleton",
        HandlerKind::Broadcast => "broadcast",
    };
    let mut json = json!({
        "kind": "event",
        "name": handler.method,
        "doc": handler.doc,
        "signature": event(handler),
        "payload": handler.payload,
        "events": events.collect::<Vec<_>>(),
        "handler": kind,
        "reliable_delivery": handler.reliable,
    });
    add_handling(&mut json, &handler.handling);
    json
}

pub(super) fn consumer_json(consumer: &ConsumerInfo) -> Value {
    let exchange = consumer.bind.map(|bind| bind.to_json());
    let mut json = json!({
        "kind": "consume",
        "name": consumer.method,
        "doc": consumer.doc,
        "signature": self::consumer(consumer),
        "payload": consumer.payload,
        "queue": consumer.queue,
        "declare": consumer.declare,
        "exchange": exchange,
    });
    add_handling(&mut json, &consumer.handling);
    json
}

pub(super) fn timer_json(timer: &TimerInfo) -> Value {
    let (every, cron, zone) = match timer.schedule {
        Schedule::Every(every) => (Some(millis(every)), None, None),
        Schedule::Cron { expression, zone } => (None, Some(expression), Some(zone)),
    };
    json!({
        "kind": "timer",
        "name": timer.method,
        "doc": timer.doc,
        "signature": self::timer(timer),
        "every_ms": every,
        "cron": cron,
        "zone": zone,
        "eager": timer.eager,
        "once_per": timer.once_per_fleet.then_some("fleet"),
        "timeout_ms": timer.timeout.map(millis),
    })
}

fn add_handling(json: &mut Value, info: &HandlingInfo) {
    if let (Value::Object(json), Value::Object(handling)) = (json, info.to_json()) {
        json.extend(handling);
    }
}
