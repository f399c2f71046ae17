//! Exchanges, queues and routing keys: Nameko's names, and the ones of the short path between kinoko peers.

use uuid::Uuid;

use super::Name;

/// The longest name that AMQP has room for.
pub(crate) const MAX_BYTES: usize = 255;

/// The topic exchange that RPC requests and replies travel through.
pub(crate) const RPC_EXCHANGE: Name = Name::from_static("nameko-rpc");

/// The exchange that every broker has, which routes to the queue named by the routing key.
pub(crate) const DEFAULT_EXCHANGE: Name = Name::from_static("");

/// The queue that all instances of a service share, declared exactly as Nameko declares it.
pub(crate) fn rpc_queue(service: &str) -> Name {
    format!("rpc-{service}").into()
}

/// What binds [`rpc_queue`] to the RPC exchange: one word after the service.
pub(crate) fn rpc_binding(service: &str) -> Name {
    format!("{service}.*").into()
}

/// The routing key of one method on Nameko's path.
pub(crate) fn rpc_routing_key(service: &str, method: &str) -> Name {
    // Of its own size from the start, unlike `format!`: it is made for each call.
    [service, ".", method].concat().into()
}

/// The queue of the short path, which only kinoko instances consume and only kinoko clients publish to.
pub(crate) fn short_queue(service: &str) -> Name {
    format!("kinoko.rpc-{service}").into()
}

/// The queue by which the broker chooses the instance that fires a timer.
pub(crate) fn timer_queue(service: &str, method: &str) -> Name {
    format!("kinoko.timer-{service}.{method}").into()
}

/// The topic exchange that a service dispatches its events to.
pub(crate) fn event_exchange(source: &str) -> Name {
    format!("{source}.events").into()
}

/// The queue of an event that all services share which handle it as a singleton.
pub(crate) fn singleton_queue(source: &str, event: &str) -> Name {
    format!("evt-{source}-{event}").into()
}

/// The queue of an event that the instances of one service share.
pub(crate) fn service_pool_queue(source: &str, event: &str, service: &str, method: &str) -> Name {
    format!("evt-{source}-{event}--{service}.{method}").into()
}

/// The exchange by which instances of a service send events to each other's websockets. It goes with the broker.
#[cfg(feature = "http")]
pub(crate) const WEBSOCKET_EXCHANGE: Name = Name::from_static("kinoko.websockets");

/// The queue of one instance for events to its websockets.
#[cfg(feature = "http")]
pub(crate) fn websocket_queue(service: &str, instance: &impl std::fmt::Display) -> Name {
    format!("kinoko.websocket-{service}-{instance}").into()
}

/// The exchange by which programs ask each other what they are. It goes with the broker.
pub(crate) const DISCOVERY_EXCHANGE: Name = Name::from_static("kinoko.srv");

/// The queue of one program for what it is asked, and for the answers to what it asks.
pub(crate) fn discovery_queue(instance: &Uuid) -> Name {
    format!("kinoko.srv-{instance}").into()
}

const DEAD_LETTERS: &str = "kinoko.dead-";

/// The queue that keeps the dead letters of another one.
pub(crate) fn dead_letter_queue(queue: &str) -> Name {
    format!("{DEAD_LETTERS}{queue}").into()
}

/// The queue that is there while a worker is at a message that has come again more than once.
pub(crate) fn begun_queue(mark: Uuid) -> Name {
    format!("kinoko.begun-{mark}").into()
}

/// The queue that tells which messages of another one were begun alone, and came to no end.
pub(crate) fn alone_queue(queue: &str) -> Name {
    format!("kinoko.alone-{queue}").into()
}

/// The queue whose dead letters a queue keeps; a queue that keeps none is itself.
pub(crate) fn handled_queue(dead_letters: &str) -> &str {
    dead_letters.strip_prefix(DEAD_LETTERS).unwrap_or(dead_letters)
}
