//! Durable sagas: steps that call other services, and what takes them back when a later one fails.
//!
//! This module holds what a saga is in a log, and who may run it.

mod instance;
mod log;
mod memory;

pub use self::{
    instance::{
        Failure, FailureReason, Happened, Instance, Parked, Progress, SagaId, SagaState, Signal, StepProgress,
        StepState, TimelineEntry, What,
    },
    log::{Claim, Claimed, Holder, Lease, LogError, NewSaga, SagaFilter, SagaLog, Started, Then, Transition},
    memory::MemoryLog,
};
