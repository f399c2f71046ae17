//! The shop's payments: asks a gateway, which is somebody else's and may fail, and keeps books of what it knows.
//!
//! A charge is in the books before the gateway is asked, under the key that the gateway is asked with. So whatever becomes of the request, its
//! answer or this process, asking again under that key finds out, and nobody is charged twice. Where the gateway does not answer, the caller
//! hears that the payment is pending, and a timer asks until it is known.

mod books;
mod gateway;
mod service;

pub use self::gateway::Gateway;
pub use books::tables;
pub use service::{BATCH, PaymentsService};
