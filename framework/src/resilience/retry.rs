//! Repeating what failed.

use std::time::Duration;

use super::{
    classify::Class,
    invalid::{self, Check},
};

/// Whether and when a failed call is made again.
///
/// Only what may be repeated is: [`Classify`](super::Classify) says so of each error. All attempts and the waits between them are within the
/// policy's `timeout`, and within the deadline of the worker that calls.
///
/// In an attribute: `retry = 3`, or `retry(max = 3, backoff = "50ms..2s", budget = 0.1)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// How often it is made again, after the first time. Default: 2.
    pub max: u32,
    /// How long to wait before. Default: `50ms..2s`.
    pub backoff: Backoff,
    /// The share of calls that may be repeated, all callers of this policy together: a destination that is down must not get a multiple of
    /// its load. [`RESERVE`](Self::RESERVE) are allowed beyond it. Default: 0.1.
    pub budget: f64,
    /// Whether all that is called under this policy may be done twice: then also what may have run is repeated, such as a call that timed out.
    /// Default: `false`, and only what its error allows, or what carries an idempotency key.
    pub idempotent: bool,
}

/// How long to wait before an attempt: up to the first time, then up to twice as long each, at most the longest. How long of that is drawn by lot
/// ("full jitter"), so that many callers do not come back in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the first repetition.
    pub first: Duration,
    /// The longest of all.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max: 2, backoff: Backoff::default(), budget: 0.1, idempotent: false }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(50), longest: Duration::from_secs(2) }
    }
}

impl Retry {
    /// How many repetitions a budget allows before any call has added to it, and the most that it keeps.
    pub const RESERVE: u32 = 10;

    /// So many repetitions, the rest by default.
    pub fn times(max: u32) -> Self {
        Self { max, ..Self::default() }
    }

    pub(super) fn check(&self) -> Check {
        invalid::time("retry.backoff", self.backoff.first)?;
        if self.backoff.longest < self.backoff.first {
            return Err("`retry.backoff` begins with the shorter time: write `50ms..2s`".to_owned());
        }
        invalid::time("retry.backoff", self.backoff.longest)?;
        if !(0.0..=1.0).contains(&self.budget) {
            return Err(format!(
                "`retry.budget` is {}: a share of the calls, from 0 (only the reserve) to 1 (each may be repeated once)",
                self.budget
            ));
        }
        Ok(())
    }

    /// How long to wait before repetition `number`, counted from 1, of what ended so; `None`: it is not repeated.
    pub(super) fn wait(&self, number: u32, class: Class) -> Option<Duration> {
        let may = class.repeatable || (class.failure && self.idempotent);
        if !may || number > self.max {
            return None;
        }
        Some(self.backoff.draw(number).max(class.retry_after.unwrap_or_default()))
    }
}

impl Backoff {
    /// Reads `50ms..2s`, or `1s` for both.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (first, longest) = kinoko_text::parse_backoff(text)?;
        Ok(Self { first, longest })
    }

    fn draw(&self, number: u32) -> Duration {
        let doubled = 1u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX);
        let most = self.first.saturating_mul(doubled).min(self.longest);
        most.mul_f64(fastrand::f64())
    }
}
