//! What fires a service's methods.

mod message;
#[cfg(feature = "http")]
pub(crate) mod request;
mod rpc;
mod timer;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub(crate) use self::{
    message::{MessageEntrypoint, MessageSettings},
    rpc::{RpcEntrypoint, RpcSettings},
    timer::{Clock, TimerEntrypoint},
};
use crate::{
    Result,
    protocol::Fault,
    transport::{ConsumerStatus, Transport},
};

/// One way of firing methods, as the container starts and stops it.
#[async_trait]
pub(crate) trait Entrypoint: Send + Sync {
    /// Declares what it needs, and begins to fire. Returns when the broker has its consumers, each for as many messages at once as
    /// the container's workers have use for.
    async fn start(&self, transport: &Arc<dyn Transport>, max_workers: u16) -> Result<()>;

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

/// What a worker ends with that took longer than its method may.
#[cold]
pub(crate) fn timeout(service: &str, method: &str, limit: Option<Duration>) -> Fault {
    let limit = limit.unwrap_or_default();
    Fault {
        code: Some("TIMEOUT".into()),
        http: Some(504),
        grpc: Some("DEADLINE_EXCEEDED".into()),
        ..Fault::internal("Timeout", format!("`{service}.{method}` took longer than the {limit:?} that it may"))
    }
}
