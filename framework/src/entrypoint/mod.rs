//! What fires a service's methods.

mod rpc;
mod timer;

use std::sync::Arc;

use async_trait::async_trait;

pub(crate) use self::{
    rpc::{RpcEntrypoint, RpcSettings},
    timer::{Clock, TimerEntrypoint},
};
use crate::{
    Result,
    transport::{ConsumerStatus, Transport},
};

/// One way of firing methods, as the container starts and stops it.
#[async_trait]
pub(crate) trait Entrypoint: Send + Sync {
    /// Declares what it needs, and begins to fire. Returns when the broker has its consumers, each for `prefetch` messages at once.
    async fn start(&self, transport: &Arc<dyn Transport>, prefetch: u16) -> Result<()>;

    /// All services of the program have started: what fires by itself begins now, and finds those that it calls.
    fn begin(&self) {}

    /// Fires no more; what has not started goes back.
    async fn stop_taking(&self);

    /// Drops the methods that still run.
    fn cancel_workers(&self);

    /// How its consumers are doing.
    fn consumer_statuses(&self) -> Vec<ConsumerStatus>;

    /// How many workers run.
    fn running(&self) -> usize;
}
