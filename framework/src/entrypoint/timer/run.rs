use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Clock, fleet::Lead, grid::Grid};
use crate::{
    codec::Format,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    protocol::{Fault, excerpt},
    service::{DynService, Outcome, TimerInfo, WorkerCall},
    worker::{Limits, MethodSlots, Workers, log},
};

/// One timer.
pub(super) struct Timer {
    service: Arc<dyn DynService>,
    info: &'static TimerInfo,
    slots: Arc<MethodSlots>,
    workers: Arc<Workers>,
    grid: Grid,
}

impl Timer {
    /// A timer, or what is wrong with its schedule.
    pub(super) fn new(
        service: &Arc<dyn DynService>,
        info: &'static TimerInfo,
        limits: &Arc<Limits>,
        workers: &Arc<Workers>,
        clock: Clock,
    ) -> Result<Self, String> {
        let grid = Grid::of(info, clock)?;
        let slots = Arc::new(MethodSlots::new(limits.clone(), None));
        Ok(Self { service: service.clone(), info, slots, workers: workers.clone(), grid })
    }

    /// Fires until it is told to stop, and returns when nothing runs any more.
    pub(super) async fn run(&self, lead: Option<&Lead>, stop: &CancellationToken) {
        let mut grid = self.grid.begin();
        let mut leads = lead.map(Lead::watch);
        let mut due = self.info.eager && lead.is_none();
        let mut skipped = 0_u64;
        loop {
            if due && lead.is_none_or(Lead::is_held) {
                self.fire(stop).await;
                if grid.is_late() {
                    skipped += 1;
                    // One that is always late would fill the log.
                    if skipped.is_power_of_two() {
                        let (service, method) = (self.service.descriptor().name, self.info.method);
                        tracing::warn!(
                            service,
                            method,
                            skipped,
                            "a timer was not done by its next tick, which is skipped"
                        );
                    }
                }
            }
            let won = async {
                match &mut leads {
                    Some(leads) if self.info.eager => leads.won().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = won => {}
                () = grid.tick() => {}
            }
            due = true;
        }
    }

    /// One worker, from the wait for its slot to its end.
    async fn fire(&self, stop: &CancellationToken) {
        if !self.slots.take_free() {
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                taken = self.slots.take() => taken,
            };
            if taken.is_none() {
                return;
            }
        }
        let began = Instant::now();
        let context = WorkerContext::new(WorkerOrigin {
            service: self.service.descriptor().name,
            entrypoint: self.info.method,
            // A limit beyond the end of time is none.
            deadline: self.info.timeout.and_then(|limit| began.checked_add(limit)),
            slots: Some(self.slots.clone()),
            ..WorkerOrigin::default()
        });
        if let Some(slot) = context.slot() {
            slot.taken();
        }
        let _running = self.workers.enter(context.clone());
        let call = WorkerCall::new(self.info.index, Format::Json, context.clone());
        let worker = context.clone().scope(self.service.clone().dispatch(call));
        let outcome = match log::span(&context) {
            Some(span) => worker.instrument(span).await,
            None => worker.await,
        };
        self.tell(&outcome, &context, began);
    }

    /// Nobody else hears how it ended.
    fn tell(&self, outcome: &Outcome, context: &WorkerContext, began: Instant) {
        let (service, method, call_id) = (context.service(), context.entrypoint(), context.call_id());
        let elapsed = began.elapsed();
        let failed = |fault: &Fault| {
            tracing::error!(service, method, call_id, ?elapsed, fault = excerpt(fault), "timer failed");
        };
        match outcome {
            Outcome::Done | Outcome::Response(_) | Outcome::Reply(_) | Outcome::Batch(_) => {
                tracing::debug!(service, method, call_id, ?elapsed, "timer done");
            }
            Outcome::Failed(verdict) => failed(verdict.fault()),
            Outcome::Fault { fault, .. } => failed(fault),
            Outcome::Cancelled(Cancelled::DeadlinePassed) => {
                let timeout = self.info.timeout;
                tracing::error!(service, method, call_id, ?timeout, "timer dropped: it took longer than it may");
            }
            Outcome::Cancelled(reason) => {
                tracing::warn!(service, method, call_id, ?elapsed, %reason, "timer dropped");
            }
        }
    }
}
