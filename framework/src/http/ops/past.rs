//! What was seen in the last seconds, for what has come since.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How far back rates and latencies look, as Hystrix has it by default.
pub(super) const LENGTH: Duration = Duration::from_secs(10);
/// Nobody looked for so long: what was seen then is of no use.
const GAP: Duration = Duration::from_secs(5);

/// What whoever looks has seen in the last seconds.
#[derive(Debug)]
pub(super) struct Past<T>(VecDeque<(Instant, T)>);

impl<T> Default for Past<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Past<T> {
    /// The oldest that is of use, and how long ago it was seen.
    pub(super) fn before(&mut self, now: Instant) -> Option<(Duration, &T)> {
        if self.0.back().is_some_and(|(at, _)| now > *at + GAP) {
            self.0.clear();
        }
        while self.0.get(1).is_some_and(|(at, _)| now >= *at + LENGTH) {
            self.0.pop_front();
        }
        self.0.front().map(|(at, seen)| (now - *at, seen))
    }

    pub(super) fn keep(&mut self, now: Instant, seen: T) {
        self.0.push_back((now, seen));
    }
}
