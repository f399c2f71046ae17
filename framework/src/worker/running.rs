//! The workers that run, so that they can be ended: at their deadline, with their connection, or by a stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    context::{Cancelled, WorkerContext},
    task::{Gone, Sweep, Tasks},
};

/// The running workers of one consumer.
pub(crate) struct Workers {
    table: Mutex<Table>,
    sweep: Arc<Sweep>,
}

#[derive(Default)]
struct Table {
    running: Vec<Option<WorkerContext>>,
    free: Vec<usize>,
}

/// One worker's place; dropped, it frees the place and the worker's slot.
pub(crate) struct Running {
    workers: Arc<Workers>,
    place: usize,
    context: WorkerContext,
}

impl Workers {
    pub(crate) fn new(tasks: &Tasks) -> Arc<Self> {
        let sweep = Arc::new(Sweep::new());
        let workers = Arc::new(Self { table: Mutex::default(), sweep: sweep.clone() });
        let weak = Arc::downgrade(&workers);
        tasks.spawn_detached(async move {
            sweep.run(move |now| weak.upgrade().map(|workers| workers.end_late(now)).ok_or(Gone)).await;
        });
        workers
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(self: &Arc<Self>, context: WorkerContext) -> Running {
        let place = {
            let mut table = self.table();
            match table.free.pop() {
                Some(place) => {
                    table.running[place] = Some(context.clone());
                    place
                }
                None => {
                    table.running.push(Some(context.clone()));
                    table.running.len() - 1
                }
            }
        };
        if let Some(deadline) = context.deadline() {
            self.sweep.note(deadline);
        }
        Running { workers: self.clone(), place, context }
    }

    fn end_late(&self, now: tokio::time::Instant) -> Option<tokio::time::Instant> {
        let mut next = None;
        for context in self.table().running.iter().flatten() {
            match context.deadline() {
                Some(deadline) if deadline <= now => context.cancel(Cancelled::DeadlinePassed),
                Some(deadline) => next = Some(next.map_or(deadline, |next: tokio::time::Instant| next.min(deadline))),
                None => {}
            }
        }
        next
    }

    /// Ends every worker at its next await.
    pub(crate) fn cancel_all(&self, reason: Cancelled) {
        for context in self.table().running.iter().flatten() {
            context.cancel(reason);
        }
    }

    /// How many run.
    pub(crate) fn len(&self) -> usize {
        let table = self.table();
        table.running.len() - table.free.len()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Its sweeper sees that it is gone, and ends.
        self.sweep.nudge();
    }
}

impl Running {
    pub(crate) fn context(&self) -> &WorkerContext {
        &self.context
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut table = self.workers.table();
        table.running[self.place] = None;
        table.free.push(self.place);
        drop(table);
        if let Some(slot) = self.context.slot() {
            slot.release();
        }
    }
}
