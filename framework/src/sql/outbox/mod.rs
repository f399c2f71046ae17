//! The transactional outbox: what is dispatched in a transaction is a row of it, and goes to the broker if and only if it commits.
//!
//! [`InTx`] is the way in. The row is written by `write`; a `Relay` of each process publishes what was committed, and deletes what the broker
//! has confirmed. One relay of all processes does so at a time.

mod in_tx;
mod lanes;
mod lease;
mod relay;
mod row;
mod status;
mod store;
mod wake;
mod write;

pub use self::{
    in_tx::{InTx, TxMessage, TxSender},
    status::OutboxStatus,
};
pub(super) use self::{relay::Relay, store::TABLES, wake::Outbox, write::Written};
