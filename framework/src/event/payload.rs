use std::fmt;

use serde::de::DeserializeOwned;

use super::{Event, EventName, Fields, RawDelivery};

/// Why a body is no payload of a handler.
#[derive(Debug, Clone)]
pub struct PayloadError(String);

impl PayloadError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PayloadError {}

/// What `#[event_handler(…)]` may name: one event's type, or an enum of several by `#[derive(EventSet)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "neither `#[event]` nor `#[derive(EventSet)]`",
    note = "put `#[event(source = \"…\", name = \"…\")]` on the type, or name the event by two strings: `#[event_handler(\"source\", \"name\")]`"
)]
pub trait EventSet: Sized + Send + 'static {
    /// The events, each with a queue of its own.
    const EVENTS: &'static [EventName];

    /// For the derive: the fields of each event's body.
    #[doc(hidden)]
    const FIELDS: &'static [Fields] = &[];

    /// Reads the payload of one of them, told by its routing key.
    ///
    /// # Errors
    ///
    /// For a body that does not fit, and for an event that is none of them.
    fn read(raw: &RawDelivery) -> Result<Self, PayloadError>;
}

#[diagnostic::do_not_recommend]
impl<E: Event> EventSet for E {
    const EVENTS: &'static [EventName] = &[E::EVENT];
    const FIELDS: &'static [Fields] = &[E::FIELDS];

    fn read(raw: &RawDelivery) -> Result<Self, PayloadError> {
        raw.decode()
    }
}

/// What the handler of `E` may take.
#[diagnostic::on_unimplemented(
    message = "a handler of `{E}` cannot take a `{Self}`",
    label = "not the event's payload",
    note = "take `{E}`, `&{E}`, `&RawDelivery` for the message as it came, or nothing"
)]
pub trait PayloadOf<E>: Sized {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// For a body that does not fit.
    fn read(raw: &RawDelivery) -> Result<Self, PayloadError>;
}

impl<E: EventSet> PayloadOf<E> for E {
    fn read(raw: &RawDelivery) -> Result<Self, PayloadError> {
        <E as EventSet>::read(raw)
    }
}

impl<E> PayloadOf<E> for RawDelivery {
    fn read(raw: &RawDelivery) -> Result<Self, PayloadError> {
        Ok(raw.clone())
    }
}

/// What a handler may take that names its event by strings, or its queue.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a message",
    label = "not `Deserialize`",
    note = "add `#[derive(serde::Deserialize)]` to it, or mark the parameter `#[inject]` if the framework supplies it"
)]
pub trait FromPayload: Sized {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// For a body that does not fit.
    fn read(raw: &RawDelivery) -> Result<Self, PayloadError>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> FromPayload for T {
    fn read(raw: &RawDelivery) -> Result<Self, PayloadError> {
        raw.decode()
    }
}

impl FromPayload for RawDelivery {
    fn read(raw: &RawDelivery) -> Result<Self, PayloadError> {
        Ok(raw.clone())
    }
}
