//! What goes on the wire: names, messages, the request and reply envelopes, faults, context headers.
//!
//! Pure and synchronous: nothing here connects, waits or spawns. The facts are Nameko's; `docs/reference/wire-protocol.md` tells them.

mod args;
mod causes;
pub(crate) mod context_data;
pub mod delivery_headers;
mod envelope;
pub(crate) mod exception;
mod excerpt;
mod fault;
mod field;
mod message;
mod name;
pub(crate) mod names;
mod shape;

pub use args::{ArgError, Args, Param, decode_args};
#[doc(hidden)]
pub use causes::{Causes, NoCauses};
pub use envelope::{decode_reply, encode_reply, encode_request};
pub(crate) use excerpt::excerpt;
#[doc(hidden)]
pub use fault::Certainty;
pub use fault::{Fault, FaultMeta, ServiceError};
pub(crate) use field::value_at;
pub use message::{Headers, Message, Properties};
pub use name::Name;
#[cfg(feature = "schema")]
#[doc(hidden)]
pub use shape::{Described, Undescribed};
#[doc(hidden)]
pub use shape::{DescribesErrors, MethodShapes, NotServiceError, ServiceErrorProbe, Shape, VariantInfo};

/// A dynamic value, as JSON has it: header values, context data, untyped arguments and results.
pub use serde_json::Value;
