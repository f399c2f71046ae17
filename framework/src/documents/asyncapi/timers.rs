//! Methods that the clock fires. No message, so no operation.

use serde_json::json;

use crate::{
    documents::text::describe,
    protocol::{Value, names},
    service::{Schedule, ServiceDescriptor, TimerInfo, millis},
};

pub(super) fn of(service: &'static ServiceDescriptor) -> impl Iterator<Item = Value> {
    service.timers.iter().map(|timer| json_of(service, timer))
}

fn json_of(service: &ServiceDescriptor, timer: &TimerInfo) -> Value {
    let (every, cron, zone) = match timer.schedule {
        Schedule::Every(every) => (Some(millis(every)), None, None),
        Schedule::Cron { expression, zone } => (None, Some(expression), Some(zone)),
    };
    let queue = timer.once_per_fleet.then(|| names::timer_queue(service.name, timer.method).to_string());
    let mut json = json!({
        "service": service.name,
        "method": timer.method,
        "every_ms": every,
        "cron": cron,
        "zone": zone,
        "eager": timer.eager,
        "once_per": timer.once_per_fleet.then_some("fleet"),
        "queue": queue,
        "timeout_ms": timer.timeout.map(millis),
    });
    describe(&mut json, timer.doc, None);
    json
}
