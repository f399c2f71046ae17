//! A saga that this process holds: the lease, renewed for as long as something runs, and every change made under it.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::{
    select,
    time::{Instant, sleep, sleep_until},
};

use super::{
    engine::Here,
    log::{Lease, LogError, SagaLog, Transition},
};
use crate::Error;

/// Somebody else may hold the saga by now: whoever held it stops and says nothing.
#[derive(Debug)]
pub(super) struct Lost;

pub(super) struct Hold {
    log: Arc<dyn SagaLog>,
    lease: Lease,
    here: Arc<Here>,
    /// Until when the lease is certainly held.
    until: Instant,
    /// How many signals the log has.
    pub(super) signals: u64,
}

/// Between two tries to reach a log that fails.
const PAUSE: Duration = Duration::from_millis(200);

impl Hold {
    /// `began` is from before the lease was taken.
    pub(super) fn new(log: Arc<dyn SagaLog>, lease: Lease, here: Arc<Here>, began: Instant, signals: u64) -> Self {
        let until = began + lease.holder.lease;
        Self { log, lease, here, until, signals }
    }

    pub(super) fn fence(&self) -> u64 {
        self.lease.fence
    }

    /// Runs a future and renews the lease meanwhile; drops it when the lease is lost.
    pub(super) async fn renewing<F: Future>(&mut self, future: F) -> Result<F::Output, Lost> {
        let mut future = pin!(future);
        loop {
            let due = self.until.checked_sub(self.lease.holder.lease * 2 / 3).unwrap_or(self.until);
            select! {
                biased;
                output = &mut future => return Ok(output),
                () = sleep_until(due) => {}
            }
            select! {
                biased;
                output = &mut future => return Ok(output),
                renewed = self.renew() => renewed?,
            }
        }
    }

    async fn renew(&mut self) -> Result<(), Lost> {
        loop {
            let began = Instant::now();
            match self.log.renew(&self.lease).await {
                Ok(signals) => {
                    self.until = began + self.lease.holder.lease;
                    if signals > self.signals {
                        self.signals = signals;
                        self.here.news.notify_one();
                    }
                    return Ok(());
                }
                Err(LogError::LeaseLost) => return Err(Lost),
                Err(LogError::Failed(error)) => self.failed("renew", &error).await?,
            }
        }
    }

    /// Appends a transition, again and again while the log fails and the lease is held.
    pub(super) async fn append(&mut self, transition: &Transition) -> Result<(), Lost> {
        loop {
            let began = Instant::now();
            match self.log.append(&self.lease, transition.clone()).await {
                Ok(signals) => {
                    self.until = began + self.lease.holder.lease;
                    self.signals = signals;
                    return Ok(());
                }
                Err(LogError::LeaseLost) => return Err(Lost),
                Err(LogError::Failed(error)) => self.failed("append", &error).await?,
            }
        }
    }

    async fn failed(&self, what: &str, error: &Error) -> Result<(), Lost> {
        let saga = tracing::field::display(&self.lease.id);
        tracing::warn!(%saga, what, error = error.chain(), "the log of sagas fails");
        if Instant::now() + PAUSE >= self.until {
            tracing::error!(%saga, "the lease of a saga ran out while its log failed: whoever reaches the log goes on");
            return Err(Lost);
        }
        sleep(PAUSE).await;
        Ok(())
    }
}
