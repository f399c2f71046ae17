//! What generated code calls, so that little of it is generated.

use super::{Event, EventName, Fields, PayloadError, RawDelivery};
use crate::service::equal;

/// All of an event that a set wants to know: one value, so that a type that is none is told once.
#[derive(Debug)]
pub struct Member<E> {
    /// Its name.
    pub name: EventName,
    /// The fields of its body.
    pub fields: Fields,
    /// Reads its payload.
    pub read: fn(&RawDelivery) -> Result<E, PayloadError>,
}

/// See [`Member`].
pub const fn event_member<E: Event>() -> Member<E> {
    Member { name: E::EVENT, fields: E::FIELDS, read: RawDelivery::decode }
}

/// Fails the build where a body is known not to have the field that it is ordered by.
///
/// # Panics
///
/// At compile time, with the text.
#[track_caller]
pub const fn assert_field(bodies: &[Fields], field: &str, text: &str) {
    let mut body = 0;
    while body < bodies.len() {
        if let Some(fields) = bodies[body] {
            let mut at = 0;
            while at < fields.len() && !equal(fields[at], field) {
                at += 1;
            }
            assert!(at < fields.len(), "{}", text);
        }
        body += 1;
    }
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
