//! Rules for the queues of a service's event handlers, asked while it compiles: only the compiler knows the events' names.

use super::{EventHandlerInfo, HandlerKind, ServiceDescriptor, equal};
use crate::event::EventName;

/// The longest name that leaves room within AMQP's 255 bytes for what else is named after it: dead letters' queue, and a broadcast's
/// own for each instance, with a dash and 32 digits.
const fn longest(kind: HandlerKind) -> usize {
    match kind {
        HandlerKind::ServicePool | HandlerKind::Singleton => 255 - "kinoko.dead-".len(),
        HandlerKind::Broadcast => 255 - 33,
    }
}

/// Fails the build where a handler would share a queue with an earlier one, or its queue would have no name.
///
/// # Panics
///
/// At compile time, with the text that says so.
#[track_caller]
pub const fn assert_queues(service: &ServiceDescriptor, index: usize) {
    let mut at = 0;
    while at < service.events.len() && service.events[at].index != index {
        at += 1;
    }
    let handler = &service.events[at];
    let mut event = 0;
    while event < handler.events.len() {
        assert!(
            queue_len(service.name, handler, handler.events[event]) <= longest(handler.kind),
            "the queue's name would be too long for the broker: it consists of the names of source, event, service and method, \
             and may have 243 bytes, 222 for a broadcast; shorten one of them, or write `name = \"…\"` for the method"
        );
        event += 1;
    }
    let mut earlier = 0;
    while earlier < at {
        let other = &service.events[earlier];
        if share_an_event(handler, other) {
            match (handler.kind, other.kind) {
                (HandlerKind::Singleton, HandlerKind::Singleton) => panic!(
                    "this service has a singleton for this event already, and both would take from one queue: leave one of them out"
                ),
                (HandlerKind::ServicePool, HandlerKind::ServicePool)
                | (HandlerKind::Broadcast, HandlerKind::Broadcast)
                    if equal(handler.method, other.method) =>
                {
                    panic!(
                        "this method handles this event already, and both would take from one queue: leave one of them out, or \
                         tell them apart by `name = \"…\"`"
                    )
                }
                _ => {}
            }
        }
        earlier += 1;
    }
}

/// As WIRE 1.1 has it: `evt-{source}-{type}`, and `--{service}.{method}` where the queue is the service's own.
const fn queue_len(service: &str, handler: &EventHandlerInfo, event: EventName) -> usize {
    let shared = "evt-".len() + event.source.len() + 1 + event.name.len();
    let own = shared + "--".len() + service.len() + 1 + handler.method.len();
    match handler.kind {
        HandlerKind::Singleton => shared,
        HandlerKind::ServicePool | HandlerKind::Broadcast => own,
    }
}

const fn share_an_event(left: &EventHandlerInfo, right: &EventHandlerInfo) -> bool {
    let mut i = 0;
    while i < left.events.len() {
        let mut j = 0;
        while j < right.events.len() {
            let (left, right) = (left.events[i], right.events[j]);
            if equal(left.source, right.source) && equal(left.name, right.name) {
                return true;
            }
            j += 1;
        }
        i += 1;
    }
    false
}
