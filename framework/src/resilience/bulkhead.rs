//! A bound on how many calls are under way at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::invalid::Check;

/// How many calls may be under way at once, so that one slow destination does not take all there is.
///
/// In an attribute: `bulkhead = 20`, or `bulkhead(concurrency = 20, queue = 10)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulkhead {
    /// The most calls at once. Default: 20.
    pub concurrency: usize,
    /// The most that wait for room, in order, for as long as the call may take; one more is refused. Default: 0.
    pub queue: usize,
}

const MOST: usize = 1_000_000;

impl Default for Bulkhead {
    fn default() -> Self {
        Self { concurrency: 20, queue: 0 }
    }
}

impl Bulkhead {
    pub(super) fn check(&self) -> Check {
        match self.concurrency {
            0 => Err("`bulkhead.concurrency` is 0 and would refuse every call: write at least 1".to_owned()),
            1..=MOST => Ok(()),
            more => Err(format!("`bulkhead.concurrency` is {more}, the most is {MOST}")),
        }
    }
}

/// The room of one bulkhead.
#[derive(Debug)]
pub(super) struct Room {
    places: Arc<Semaphore>,
    settings: Bulkhead,
    queue: Queue,
}

/// What a bulkhead is like at the moment.
#[derive(Debug, Clone)]
pub(crate) struct BulkheadSight {
    pub(crate) busy: usize,
    pub(crate) waiting: usize,
    pub(crate) concurrency: usize,
}

/// There is no room, and none to wait in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IsFull;

impl Room {
    pub(super) fn new(settings: Bulkhead) -> Self {
        let queue = Queue::new(settings.queue);
        Self { places: Arc::new(Semaphore::new(settings.concurrency)), settings, queue }
    }

    /// Takes a place that is free and that nobody waits for. Whoever drops it makes room.
    pub(super) fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits for a place, where it may. Whoever drops the wait, or the place, makes room.
    pub(super) async fn wait(&self) -> Result<OwnedSemaphorePermit, IsFull> {
        let _waiting = self.queue.enter().ok_or(IsFull)?;
        // It is never closed.
        self.places.clone().acquire_owned().await.map_err(|_| IsFull)
    }

    pub(super) fn look(&self) -> BulkheadSight {
        let concurrency = self.settings.concurrency;
        let busy = concurrency.saturating_sub(self.places.available_permits());
        BulkheadSight { busy, waiting: self.queue.waiting.load(Ordering::Relaxed), concurrency }
    }

    pub(super) fn settings(&self) -> &Bulkhead {
        &self.settings
    }
}

/// How many wait for something, of how many that may.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: AtomicUsize,
    most: usize,
}

impl Queue {
    pub(crate) fn new(most: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), most }
    }

    /// Takes a place among those that wait, if there is one. Whoever drops it makes room.
    pub(crate) fn enter(&self) -> Option<Waiting<'_>> {
        let more = |waiting| (waiting < self.most).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Waiting(self))
    }
}

/// A place among those that wait.
#[must_use]
pub(crate) struct Waiting<'a>(&'a Queue);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
