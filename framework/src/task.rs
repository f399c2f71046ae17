//! The only place that spawns: tasks are named, tracked, and joined when what they belong to stops.

use std::{
    fmt,
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::task::TaskTracker;

use crate::context::WorkerContext;

/// Runs a future as a task that keeps the current worker's context: clients used inside pass its deadline, call-id stack and
/// context data on. A task spawned with `tokio::spawn` has none.
///
/// The task outlives the worker unless it is awaited; its deadline stays the worker's.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let task = kinoko::spawn(async { 6 * 7 });
/// assert_eq!(task.await.unwrap(), 42);
/// # }
/// ```
#[allow(clippy::disallowed_methods, reason = "this is the place")]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match WorkerContext::current() {
        Some(context) => tokio::spawn(context.scope(future)),
        None => tokio::spawn(future),
    }
}

/// Runs what holds a thread up on one that may be held up.
///
/// # Errors
///
/// Where it panics, or the runtime ends.
#[cfg(feature = "jwt")]
#[allow(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> crate::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| crate::Error::msg(format!("a task did not end: {error}")))
}

/// The tasks of one owner, on the runtime where it was made.
#[derive(Clone)]
pub(crate) struct Tasks {
    runtime: Handle,
    tracker: TaskTracker,
}

impl Tasks {
    /// Tasks on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub(crate) fn new() -> Self {
        Self { runtime: Handle::current(), tracker: TaskTracker::new() }
    }

    /// Starts a task, from whatever thread.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn_on(future, &self.runtime);
    }

    /// Starts a task that is not waited for: it ends with what it holds weakly.
    #[allow(clippy::disallowed_methods, reason = "this is the place")]
    pub(crate) fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// Counts as a task for as long as it is held: for what runs in somebody else's.
    #[cfg(feature = "http")]
    pub(crate) fn token(&self) -> tokio_util::task::task_tracker::TaskTrackerToken {
        self.tracker.token()
    }

    /// Waits until every task is over.
    pub(crate) async fn join(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }

    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.tracker.len()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("running", &self.len()).finish()
    }
}

/// One timer for a table of many deadlines.
///
/// A timer per call would cost more than the call's own bookkeeping. Nearly all calls end long before their deadline, so the table
/// keeps the due times and is swept when the earliest of them is reached.
pub(crate) struct Sweep {
    base: Instant,
    /// Microseconds since `base` of the next sweep.
    next: AtomicU64,
    earlier: Notify,
}

/// Two sweeps are at least this far apart, which bounds both their cost and how late a due time is seen.
const GRANULARITY: Duration = Duration::from_millis(1);

impl Sweep {
    pub(crate) fn new() -> Self {
        Self { base: Instant::now(), next: AtomicU64::new(u64::MAX), earlier: Notify::new() }
    }

    /// Says that something is due then.
    pub(crate) fn note(&self, due: Instant) {
        let due = self.micros(due);
        if due < self.next.load(Ordering::Relaxed) && due < self.next.fetch_min(due, Ordering::AcqRel) {
            self.earlier.notify_one();
        }
    }

    /// Calls `sweep` whenever something is due; it returns the earliest due time that is left, and ends the loop with `Err`.
    pub(crate) async fn run(&self, mut sweep: impl FnMut(Instant) -> Result<Option<Instant>, Gone>) {
        loop {
            // Reset before the look: whoever adds an entry after it lowers this again.
            self.next.store(u64::MAX, Ordering::Release);
            match sweep(Instant::now()) {
                Ok(Some(due)) => {
                    self.next.fetch_min(self.micros(due), Ordering::AcqRel);
                }
                Ok(None) => {}
                Err(Gone) => return,
            }
            let soonest = Instant::now() + GRANULARITY;
            loop {
                let next = self.next.load(Ordering::Acquire);
                let earlier = self.earlier.notified();
                if next == u64::MAX {
                    earlier.await;
                    continue;
                }
                let due = (self.base + Duration::from_micros(next)).max(soonest);
                tokio::select! {
                    () = sleep_until(due) => break,
                    () = earlier => {}
                }
            }
        }
    }

    /// Ends [`run`](Self::run) soon, through its next sweep.
    pub(crate) fn nudge(&self) {
        self.note(self.base);
    }

    fn micros(&self, instant: Instant) -> u64 {
        // Up: a sweep that comes a microsecond early would find nothing due and run again.
        u64::try_from(instant.saturating_duration_since(self.base).as_micros() + 1).unwrap_or(u64::MAX - 1)
    }
}

/// The table that was swept is gone.
pub(crate) struct Gone;
