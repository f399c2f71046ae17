//! What calls under a policy come to, counted.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::{Map, Value};

use super::Refusal;
use crate::observe::{Histogram, HistogramSnapshot, default_bounds};

/// What an attempt came to: the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a value, or with an error that is an answer.
    Success,
    /// With an error that tells that the destination is not well.
    Failure,
    Timeout,
    /// It was dropped.
    Cancelled,
    CircuitOpen,
    BulkheadFull,
    RateLimited,
}

impl Outcome {
    pub(crate) const ALL: [Self; 7] = [
        Self::Success,
        Self::Failure,
        Self::Timeout,
        Self::Cancelled,
        Self::CircuitOpen,
        Self::BulkheadFull,
        Self::RateLimited,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::CircuitOpen => "circuit_open",
            Self::BulkheadFull => "bulkhead_full",
            Self::RateLimited => "rate_limited",
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(reason: Refusal) -> Self {
        match reason {
            Refusal::Timeout { .. } => Self::Timeout,
            Refusal::CircuitOpen { .. } => Self::CircuitOpen,
            Refusal::BulkheadFull => Self::BulkheadFull,
            Refusal::RateLimited { .. } => Self::RateLimited,
        }
    }
}

/// The counters of one policy.
pub(super) struct Stats {
    ended: [AtomicU64; Outcome::ALL.len()],
    in_flight: AtomicU64,
    repeated: AtomicU64,
    /// Fallbacks that answered, and those that failed too.
    fallbacks: [AtomicU64; 2],
    /// Of what was let through.
    duration: Histogram,
}

/// What [`Stats`] have counted.
#[derive(Debug, Clone)]
pub(crate) struct StatsSnapshot {
    pub(crate) ended: [(Outcome, u64); Outcome::ALL.len()],
    pub(crate) in_flight: u64,
    pub(crate) repeated: u64,
    pub(crate) fallbacks_ok: u64,
    pub(crate) fallbacks_failed: u64,
    pub(crate) duration: HistogramSnapshot,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            ended: Default::default(),
            in_flight: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            fallbacks: Default::default(),
            duration: Histogram::new(&default_bounds()),
        }
    }
}

impl Stats {
    /// An attempt begins.
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// It is over.
    pub(super) fn end(&self, outcome: Outcome, took: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.count(outcome);
        self.duration.observe(took, None);
    }

    /// It was dropped.
    pub(super) fn cancelled(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.count(Outcome::Cancelled);
    }

    pub(super) fn refused(&self, reason: Refusal) {
        self.count(reason.into());
    }

    pub(super) fn repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fell_back(&self, ok: bool) {
        self.fallbacks[usize::from(!ok)].fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self, outcome: Outcome) {
        self.ended[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            ended: Outcome::ALL.map(|outcome| (outcome, self.ended[outcome as usize].load(Ordering::Relaxed))),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
            fallbacks_ok: self.fallbacks[0].load(Ordering::Relaxed),
            fallbacks_failed: self.fallbacks[1].load(Ordering::Relaxed),
            duration: self.duration.snapshot(),
        }
    }
}

impl StatsSnapshot {
    /// How many came to what, as JSON.
    pub(crate) fn calls(&self) -> Map<String, Value> {
        self.ended.iter().map(|(outcome, count)| (outcome.name().to_owned(), (*count).into())).collect()
    }
}

#[cfg(feature = "http")]
impl StatsSnapshot {
    /// What has come since an earlier one, and what is under way now. What was not there before had counted nothing.
    pub(crate) fn since(&self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self.clone() };
        Self {
            ended: self.ended.map(|(outcome, count)| (outcome, count.saturating_sub(before.count(outcome)))),
            in_flight: self.in_flight,
            repeated: self.repeated.saturating_sub(before.repeated),
            fallbacks_ok: self.fallbacks_ok.saturating_sub(before.fallbacks_ok),
            fallbacks_failed: self.fallbacks_failed.saturating_sub(before.fallbacks_failed),
            duration: self.duration.since(Some(&before.duration)),
        }
    }

    /// How many came to this.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.ended[outcome as usize].1
    }

    /// How many came to something: all but what was dropped.
    pub(crate) fn requests(&self) -> u64 {
        self.count(Outcome::Success) + self.errors()
    }

    /// How many of those failed or were refused.
    pub(crate) fn errors(&self) -> u64 {
        use Outcome::{BulkheadFull, CircuitOpen, Failure, RateLimited, Timeout};
        [Failure, Timeout, CircuitOpen, BulkheadFull, RateLimited].map(|outcome| self.count(outcome)).iter().sum()
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}
