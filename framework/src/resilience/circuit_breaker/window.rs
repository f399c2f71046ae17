//! The calls that a closed breaker looks back upon.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Window;

/// What calls came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u32,
    pub(super) failed: u32,
    pub(super) slow: u32,
}

impl Tally {
    pub(super) fn add(&mut self, failed: bool, slow: bool) {
        self.calls += 1;
        self.failed += u32::from(failed);
        self.slow += u32::from(slow);
    }

    fn take_away(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

/// In so many parts a window of time moves on.
const SLOTS: usize = 10;

pub(super) struct Samples {
    total: Tally,
    kept: Kept,
}

enum Kept {
    Calls { last: VecDeque<(bool, bool)>, most: usize },
    Time { slots: [Tally; SLOTS], began: Instant, each: u64, at: u64 },
}

impl Samples {
    pub(super) fn new(window: Window, now: Instant) -> Self {
        let kept = match window {
            Window::Calls(most) => Kept::Calls { last: VecDeque::new(), most: most as usize },
            Window::Time(time) => {
                let each = (nanoseconds(time) / SLOTS as u64).max(1);
                Kept::Time { slots: [Tally::default(); SLOTS], began: now, each, at: 0 }
            }
        };
        Self { total: Tally::default(), kept }
    }

    /// Adds a call that is over, and tells what is in the window with it.
    pub(super) fn add(&mut self, now: Instant, failed: bool, slow: bool) -> Tally {
        self.move_on(now);
        match &mut self.kept {
            Kept::Calls { last, most } => {
                if last.len() == *most
                    && let Some((failed, slow)) = last.pop_front()
                {
                    self.total.take_away(Tally { calls: 1, failed: failed.into(), slow: slow.into() });
                }
                last.push_back((failed, slow));
            }
            Kept::Time { slots, at, .. } => slots[place(*at)].add(failed, slow),
        }
        self.total.add(failed, slow);
        self.total
    }

    /// What is in the window now.
    pub(super) fn total(&mut self, now: Instant) -> Tally {
        self.move_on(now);
        self.total
    }

    fn move_on(&mut self, now: Instant) {
        let Kept::Time { slots, began, each, at } = &mut self.kept else { return };
        // Of two calls that end together the earlier may come later.
        let slot = (nanoseconds(now.saturating_duration_since(*began)) / *each).max(*at);
        let steps = (slot - *at).min(SLOTS as u64);
        for step in 1..=steps {
            let left = std::mem::take(&mut slots[place(slot - steps + step)]);
            self.total.take_away(left);
        }
        *at = slot;
    }
}

fn place(slot: u64) -> usize {
    (slot % SLOTS as u64) as usize
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
