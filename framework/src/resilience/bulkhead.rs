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
    waiting: AtomicUsize,
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
        Self { places: Arc::new(Semaphore::new(settings.concurrency)), settings, waiting: AtomicUsize::new(0) }
    }

    /// Takes a place that is free and that nobody waits for. Whoever drops it makes room.
    pub(super) fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits for a place, where it may. Whoever drops the wait, or the place, makes room.
    pub(super) async fn wait(&self) -> Result<OwnedSemaphorePermit, IsFull> {
        let _waiting = Waiting::begin(self).ok_or(IsFull)?;
        // It is never closed.
        self.places.clone().acquire_owned().await.map_err(|_| IsFull)
    }

    pub(super) fn look(&self) -> BulkheadSight {
        let concurrency = self.settings.concurrency;
        let busy = concurrency.saturating_sub(self.places.available_permits());
        BulkheadSight { busy, waiting: self.waiting.load(Ordering::Relaxed), concurrency }
    }

    pub(super) fn settings(&self) -> &Bulkhead {
        &self.settings
    }
}

/// A place among those that wait.
struct Waiting<'a>(&'a Room);

impl<'a> Waiting<'a> {
    fn begin(room: &'a Room) -> Option<Self> {
        let more = |waiting| (waiting < room.settings.queue).then_some(waiting + 1);
        room.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(room))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
