//! `#[timer]`: from a tick of the clock to a worker.

mod clock;
mod fleet;
mod grid;
mod run;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

pub(crate) use self::clock::Clock;
use self::{fleet::Lead, run::Timer};
use super::Entrypoint;
use crate::{
    Error, ErrorKind, Result,
    context::Cancelled,
    service::DynService,
    task::Tasks,
    transport::{ConsumerStatus, Transport},
    worker::{Limits, Workers},
};

/// The timers of one container.
pub(crate) struct TimerEntrypoint {
    /// Taken when they begin.
    timers: Mutex<Vec<Group>>,
    leads: Vec<Arc<Lead>>,
    workers: Arc<Workers>,
    tasks: Tasks,
    stop: CancellationToken,
}

/// Timers that fire in the same instances: one, or all of one method that fire once per fleet.
struct Group {
    lead: Option<Arc<Lead>>,
    timers: Vec<Timer>,
}

impl TimerEntrypoint {
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a schedule that is none, naming the timer.
    pub(crate) fn new(service: &Arc<dyn DynService>, limits: &Arc<Limits>, tasks: Tasks, clock: Clock) -> Result<Self> {
        let descriptor = service.descriptor();
        let workers = Workers::new(&tasks);
        let mut groups: Vec<Group> = Vec::new();
        for info in descriptor.timers {
            let timer = Timer::new(service, info, limits, &workers, clock).map_err(|text| {
                Error::new(ErrorKind::Usage, format!("timer `{}.{}`: {text}", descriptor.name, info.method))
            })?;
            let lead = info.once_per_fleet.then(|| Lead::new(descriptor.name, info.method));
            // Each queue has one consumer here: of two, the broker would choose one, and the other timer would never fire.
            let same = |group: &&mut Group| {
                lead.as_ref().is_some_and(|lead| group.lead.as_ref().is_some_and(|other| other.queue() == lead.queue()))
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.timers.push(timer),
                None => groups.push(Group { lead: lead.map(Arc::new), timers: vec![timer] }),
            }
        }
        let leads = groups.iter().filter_map(|group| group.lead.clone()).collect();
        Ok(Self { timers: Mutex::new(groups), leads, workers, tasks, stop: CancellationToken::new() })
    }
}

#[async_trait]
impl Entrypoint for TimerEntrypoint {
    async fn start(&self, transport: &Arc<dyn Transport>, _: u16) -> Result<()> {
        for lead in &self.leads {
            lead.apply(transport, &self.tasks, &self.stop).await?;
        }
        Ok(())
    }

    fn begin(&self) {
        let groups = std::mem::take(&mut *self.timers.lock().unwrap_or_else(PoisonError::into_inner));
        for Group { lead, timers } in groups {
            let stop = self.stop.clone();
            self.tasks.spawn(async move {
                join_all(timers.iter().map(|timer| timer.run(lead.as_deref(), &stop))).await;
                // Now and not at the stop: another instance must not fire while a worker is still at it here.
                if let Some(lead) = lead {
                    lead.resign().await;
                }
            });
        }
    }

    async fn stop_taking(&self) {
        self.stop.cancel();
    }

    fn cancel_workers(&self) {
        self.stop.cancel();
        self.workers.cancel_all(Cancelled::Stopping);
    }

    fn consumer_statuses(&self) -> Vec<ConsumerStatus> {
        self.leads.iter().filter_map(|lead| lead.status()).collect()
    }

    fn running(&self) -> usize {
        self.workers.len()
    }
}
