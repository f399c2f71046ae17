//! One attempt that a policy let through, and what its end means.

use std::{sync::Arc, time::Duration};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    PolicyError,
    circuit_breaker::Trial,
    classify::Class,
    stats::{Outcome, Stats},
};

/// An attempt that was let through, and all that it holds. Dropped, it gives everything back, and counts as nothing.
pub(crate) struct Pass {
    stats: Arc<Stats>,
    _place: Option<OwnedSemaphorePermit>,
    trial: Option<Trial>,
    pub(super) began: Instant,
    /// Until when it may take.
    pub(super) limit: Option<Instant>,
    over: bool,
}

impl Pass {
    /// It begins.
    pub(super) fn new(
        stats: &Arc<Stats>,
        place: Option<OwnedSemaphorePermit>,
        trial: Option<Trial>,
        began: Instant,
        limit: Option<Instant>,
    ) -> Self {
        stats.begin();
        Self { stats: stats.clone(), _place: place, trial, began, limit, over: false }
    }

    /// The attempt is over; `None`: with a value.
    pub(crate) fn end(mut self, failed: Option<Judgement>) {
        let outcome = failed.map_or(Outcome::Success, |judgement| judgement.outcome);
        if outcome == Outcome::Cancelled {
            return;
        }
        self.over = true;
        let now = Instant::now();
        self.stats.end(outcome, now.saturating_duration_since(self.began));
        if let Some(trial) = self.trial.take() {
            trial.end(matches!(outcome, Outcome::Failure | Outcome::Timeout), now);
        }
    }

    /// How long it may take, from when it was let through.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_duration_since(self.began))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.over {
            self.stats.cancelled();
        }
    }
}

/// What an attempt's error means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judgement {
    pub(crate) class: Class,
    outcome: Outcome,
}

impl Judgement {
    /// What an error that came back means.
    pub(crate) fn came(class: Class) -> Self {
        Self { class, outcome: if class.failure { Outcome::Failure } else { Outcome::Success } }
    }

    /// It was not over in time.
    pub(crate) fn late(class: Class) -> Self {
        Self { class, outcome: Outcome::Timeout }
    }

    /// It was never begun, which tells nothing of where it was to go. Not repeated.
    pub(crate) fn none() -> Self {
        Self { class: Class::ANSWER, outcome: Outcome::Cancelled }
    }

    pub(super) fn of<E>(error: &PolicyError<E>, classify: impl Fn(&E) -> Class) -> Self {
        match error {
            PolicyError::Failed(error) => Self::came(classify(error)),
            // It may have run.
            PolicyError::Refused(_) => Self::late(Class::FAILURE),
        }
    }
}
