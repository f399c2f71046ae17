//! Workers: one execution of one method each. How one runs, how many may, and how they are ended.

mod limits;
pub(crate) mod log;
mod message;
mod run;
mod running;

pub use self::message::{
    Batch, BatchResult, Handled, IntoVerdict, NoReply, NotHandled, payload, payload_batch, settled, settled_batch,
};
#[cfg(feature = "http")]
pub(crate) use self::run::failed;
pub use self::run::{
    HookTrouble, HooksSoFar, answer, arguments, each_hook, hooks_over, inject, refuse, run_worker, unexpected,
};
pub(crate) use self::{
    limits::{Limits, MethodSlots},
    running::{Running, Workers},
};
