//! What generated code calls, so that little of it is generated.

use super::{Event, EventName, PayloadError, RawDelivery};
use crate::service::equal;

/// The name of a set's event. A function, so that a type that is none is told once, where it is written.
pub const fn event_name<E: Event>() -> EventName {
    E::EVENT
}

/// Fails the build where one event of a set comes from another source than the first, or is there twice.
///
/// # Panics
///
/// At compile time, with the text that says so.
#[track_caller]
pub const fn assert_in_set(events: &[EventName], place: usize) {
    let event = events[place];
    assert!(
        equal(event.source, events[0].source),
        "a set is of several events of one source, and this one has another than the first: handle it by a method of its own"
    );
    let mut earlier = 0;
    while earlier < place {
        assert!(
            !equal(event.name, events[earlier].name),
            "two variants of one event: nobody could tell which is meant"
        );
        earlier += 1;
    }
}

/// A delivery of a set's handler that is none of its events.
#[cold]
pub fn not_in_set(raw: &RawDelivery) -> PayloadError {
    PayloadError::new(format!("no variant is for the event `{}`", raw.routing_key()))
}
