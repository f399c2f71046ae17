use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Clock, fleet::Lead, grid::Grid};
use crate::{
    codec::Format,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    entrypoint::timeout,
    observe::{self, EntrypointKind},
    protocol::Properties,
    service::{DynService, Outcome, TimerInfo, WorkerCall},
    worker::{Limits, MethodSlots, Workers, log, unexpected},
};

/// One timer.
pub(super) struct Timer {
    service: Arc<dyn DynService>,
    info: &'static TimerInfo,
    slots: Arc<MethodSlots>,
    seen: Arc<observe::Entrypoint>,
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
        let seen = limits.observer().entrypoint(service.descriptor().name, info.method, EntrypointKind::Timer, None);
        Ok(Self { service: service.clone(), info, slots, seen, workers: workers.clone(), grid })
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
        let mut watch = self.seen.arrived();
        if !self.slots.take_free() {
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                taken = self.slots.take() => taken,
            };
            watch.waited();
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
            trace: watch.trace(&Properties::default(), false),
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
        let outcome = match outcome {
            Outcome::Cancelled(Cancelled::DeadlinePassed) => {
                unexpected(timeout(context.service(), context.entrypoint(), self.info.timeout))
            }
            outcome => outcome,
        };
        watch.end(&context, &outcome);
    }
}
