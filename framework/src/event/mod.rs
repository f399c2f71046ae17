//! Events and messages: their types, what becomes of a delivery, and how to send them.
//!
//! A handler's side is in `entrypoint`; here is what both sides name.

mod attempts;
mod dispatch;
mod dispatcher;
mod error;
pub(crate) mod expansion;
mod payload;
#[cfg(feature = "sql")]
mod prepared;
mod publish;
mod publisher;
mod raw;
mod recorded;
mod sender;
mod sending;
mod unrouted;
mod verdict;

use serde::{Serialize, de::DeserializeOwned};

#[cfg(feature = "sql")]
pub(crate) use self::prepared::Prepared;
pub(crate) use self::sender::{Sender, SenderSettings};
pub use self::{
    dispatch::{Dispatch, Dispatched},
    dispatcher::EventDispatcher,
    error::DispatchError,
    payload::{EventSet, FromPayload, PayloadError, PayloadOf},
    publish::Publish,
    publisher::{Publisher, PublisherOptions},
    raw::RawDelivery,
    recorded::{Recorded, Sent},
    unrouted::UnroutedEvent,
    verdict::{Action, DeadLetter, Reject, Retry, Verdict},
};

/// Which event: who sends it, and how it is called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventName {
    /// The service that dispatches it.
    pub source: &'static str,
    /// Its type: the routing key on the source's exchange. Of a handler it may be a pattern, `order.*` or `#`.
    pub name: &'static str,
}

/// A type that is dispatched as an event. `#[event]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "no `#[event]`",
    note = "put `#[event(source = \"…\", name = \"…\")]` on the type, or name the event by two strings: `(\"source\", \"name\")`"
)]
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Who sends it, and how it is called there.
    const EVENT: EventName;

    /// Whether a dispatch that no queue takes is an error.
    const REQUIRED: bool = false;

    /// For `#[event]`: the fields of the body, where they are known.
    #[doc(hidden)]
    const FIELDS: Fields = None;
}

/// The names of a body's fields; `None` where a macro cannot tell.
#[doc(hidden)]
pub type Fields = Option<&'static [&'static str]>;
