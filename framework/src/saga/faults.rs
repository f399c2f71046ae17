//! Failures that a test injects around steps and compensations.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

use super::{
    definition::{Ran, Undone},
    runner::Halt,
};
use crate::protocol::{Certainty, Fault};

/// Where a failure is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Step(usize),
    Undo(usize),
}

/// What is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Injected {
    /// It is not run, and says so.
    Fails,
    /// It is not run, and nobody knows.
    TimesOutBefore,
    /// It is run, and nobody knows.
    TimesOutAfter,
    /// The same, with each attempt.
    NeverAnswers,
    /// It is not run, and its process ends.
    CrashesBefore,
    /// It is run, and its process ends.
    CrashesAfter,
}

/// The failures of one run. Each is injected once, but [`Injected::NeverAnswers`].
#[derive(Default)]
pub(crate) struct Faults {
    hurry: AtomicBool,
    plan: Mutex<Vec<(Place, Injected)>>,
    /// A process ended, as far as its sagas are concerned.
    pub(crate) crashed: Notify,
}

impl Faults {
    /// What is injected from now on; nothing waits between two attempts.
    pub(crate) fn plan(&self, plan: Vec<(Place, Injected)>) {
        self.hurry.store(true, Ordering::Release);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    pub(super) fn hurries(&self) -> bool {
        self.hurry.load(Ordering::Acquire)
    }

    fn take(&self, place: Place, wanted: &[Injected]) -> Option<Injected> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let index = plan.iter().position(|(at, what)| *at == place && wanted.contains(what))?;
        let what = plan[index].1;
        if what != Injected::NeverAnswers {
            plan.remove(index);
        }
        Some(what)
    }

    fn before(&self, place: Place) -> Result<Option<Injected>, Halt> {
        match self.take(place, &[Injected::Fails, Injected::TimesOutBefore, Injected::CrashesBefore]) {
            Some(Injected::CrashesBefore) => Err(Halt::Crashed),
            other => Ok(other),
        }
    }

    fn after(&self, place: Place) -> Result<bool, Halt> {
        match self.take(place, &[Injected::TimesOutAfter, Injected::NeverAnswers, Injected::CrashesAfter]) {
            Some(Injected::CrashesAfter) => Err(Halt::Crashed),
            other => Ok(other.is_some()),
        }
    }

    pub(super) fn before_step(&self, step: usize) -> Result<Option<Ran>, Halt> {
        Ok(self.before(Place::Step(step))?.map(|what| match what {
            Injected::Fails => {
                let fault = Box::new(Fault { retryable: Some(false), ..injected() });
                Ran::Failed { certainty: Certainty::Refused, fault }
            }
            _ => unknown(),
        }))
    }

    pub(super) fn after_step(&self, step: usize, ran: Ran) -> Result<Ran, Halt> {
        Ok(if self.after(Place::Step(step))? { unknown() } else { ran })
    }

    pub(super) fn before_undo(&self, step: usize) -> Result<Option<Undone>, Halt> {
        Ok(self.before(Place::Undo(step))?.map(|_| again()))
    }

    pub(super) fn after_undo(&self, step: usize, undone: Undone) -> Result<Undone, Halt> {
        Ok(if self.after(Place::Undo(step))? { again() } else { undone })
    }
}

fn injected() -> Fault {
    Fault::internal("Injected", "a failure that a test injected")
}

fn unknown() -> Ran {
    Ran::Failed { certainty: Certainty::Unknown, fault: Box::new(injected()) }
}

fn again() -> Undone {
    Undone::Failed(Box::new(crate::Verdict::of_fault(injected())))
}
