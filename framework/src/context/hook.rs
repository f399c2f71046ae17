use async_trait::async_trait;

use super::Cancelled;
use crate::{Result, protocol::Fault};

/// What happens around one worker's end, attached with [`WorkerContext::attach`](super::WorkerContext::attach).
///
/// A hook that fails turns the call into a fault; it never ends the process.
#[async_trait]
pub trait WorkerHook: Send + 'static {
    /// Runs when the method is over and *before* its reply leaves, so that a failed commit is not reported as success.
    ///
    /// # Errors
    ///
    /// Become the call's fault.
    async fn result(&mut self, outcome: WorkerOutcome<'_>) -> Result<()> {
        let _ = outcome;
        Ok(())
    }

    /// Runs last, whatever happened.
    ///
    /// # Errors
    ///
    /// Become the call's fault.
    async fn teardown(&mut self) -> Result<()> {
        Ok(())
    }
}

/// How a worker's method ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum WorkerOutcome<'a> {
    /// It returned a value.
    Ok,
    /// It returned an error, or panicked.
    Failed(&'a Fault),
    /// Of a batch some are done with, and some are not: why the first of those is not.
    Partly(&'a Fault),
    /// Its future was dropped before it ended.
    Cancelled(Cancelled),
}

impl WorkerOutcome<'_> {
    /// Whether the method returned a value.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}
