//! A payment provider, simulated. It knows nothing of kinoko: it is what a shop calls and cannot change.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /charges`, with `Idempotency-Key` and `{"order": 7, "cents": 500}` | 201 with the charge; 402 declined; 409 given back before; 422 a key that was used for something else. The same again under the same key |
//! | `GET /charges/{key}` | 200 with what became of it, 404 where nobody asked |
//! | `POST /refunds` with `{"key": "…"}` | 200: given back, and if it was not charged yet, it never will be |
//! | `PUT /switch` with a [`Switch`] | 204: from now on this goes wrong |
//! | `GET /counts` | [`Counts`] |

mod books;
mod server;
mod simulation;

pub use books::{Charge, State};
pub use server::Gateway;
pub use simulation::{Counts, Outage, Switch};
