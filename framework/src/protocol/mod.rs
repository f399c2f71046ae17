//! What goes on the wire: names, messages, the request and reply envelopes, faults, context headers.
//!
//! Pure and synchronous: nothing here connects, waits or spawns. The facts are Nameko's; `docs/reference/wire-protocol.md` tells them.

mod message;
mod name;
#[allow(dead_code)]
pub(crate) mod names;

pub use message::{Headers, Message, Properties};
pub use name::Name;

/// A dynamic value, as JSON has it: header values, context data, untyped arguments and results.
pub use serde_json::Value;
