use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{Instance, followed::Entry};

/// How long one that failed is not picked, at first.
const ASIDE: Duration = Duration::from_secs(5);
/// And at most, after it failed again and again.
const LONGEST_ASIDE: Duration = Duration::from_secs(60);

/// An instance that a call goes to. It counts as under way until this is dropped.
#[must_use = "the instance counts as busy until this is dropped"]
pub struct Pick(Entry);

impl Pick {
    pub(super) fn new(entry: Entry) -> Self {
        entry.slot.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(entry)
    }

    /// Sets the instance aside: it could not be reached, so others are picked for 5 s, and for twice as long whenever it fails again soon
    /// after, up to a minute. Where no other is left, it is picked all the same.
    ///
    /// For a connection that is refused or lost, and not for an error that the instance answered.
    pub fn failed(&self) {
        self.0.slot.set_aside(Instant::now());
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.0.instance
    }
}

impl Deref for Pick {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.0.instance
    }
}

impl fmt::Debug for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pick").field(&self.0.instance).finish()
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        self.0.slot.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known of an instance beside where it is; kept for as long as it is listed.
#[derive(Default)]
pub(super) struct Slot {
    in_flight: AtomicUsize,
    aside: Mutex<Option<Aside>>,
}

#[derive(Clone, Copy)]
struct Aside {
    until: Instant,
    time: Duration,
}

impl Slot {
    /// How many calls are under way.
    pub(super) fn load(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn is_aside(&self, now: Instant) -> bool {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|aside| now < aside.until)
    }

    fn set_aside(&self, now: Instant) {
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        let time = match *aside {
            // Calls that failed at once are one failure.
            Some(before) if now < before.until => return,
            Some(before) if now < before.until + before.time => (before.time * 2).min(LONGEST_ASIDE),
            _ => ASIDE,
        };
        *aside = Some(Aside { until: now + time, time });
    }
}

impl Clone for Entry {
    fn clone(&self) -> Self {
        Self { instance: Arc::clone(&self.instance), slot: Arc::clone(&self.slot) }
    }
}
