//! Calls that would fail are not made.
//!
//! `tests/mutants` proves these files against a model, copied together with `invalid.rs`: of the crate they name nothing else.

mod machine;
mod settings;
mod window;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

pub(super) use self::machine::Forced;
pub use self::{
    machine::BreakerState,
    settings::{CircuitBreaker, Window},
};
use self::{
    machine::{Change, Ended, Machine, Ticket},
    window::Tally,
};

/// One breaker, shared by all calls through it.
pub(super) struct Breaker {
    name: Box<str>,
    machine: Mutex<Machine>,
    /// How often it has opened.
    opened: AtomicU64,
}

/// What a breaker is like at the moment.
#[derive(Debug, Clone)]
pub(crate) struct CircuitSight {
    pub(crate) state: BreakerState,
    /// What is in its window, or what the trials came to.
    pub(crate) calls: u32,
    pub(crate) failed: u32,
    pub(crate) slow: u32,
    /// How often it has opened.
    pub(crate) opened: u64,
}

/// It is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IsOpen {
    /// After how long it lets one try, where that is known.
    pub(super) retry_after: Option<Duration>,
}

impl Breaker {
    pub(super) fn new(name: &str, settings: CircuitBreaker) -> Self {
        let machine = Mutex::new(Machine::new(settings, Instant::now()));
        Self { name: name.into(), machine, opened: AtomicU64::new(0) }
    }

    /// Lets a call through.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Result<Trial, IsOpen> {
        let (admitted, change) = self.machine().admit(now);
        self.tell(change);
        match admitted {
            Ok(ticket) => Ok(Trial { breaker: self.clone(), ticket: Some(ticket), began: now }),
            Err(retry_after) => Err(IsOpen { retry_after }),
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.machine().state()
    }

    pub(super) fn look(&self) -> CircuitSight {
        let mut machine = self.machine();
        let Tally { calls, failed, slow } = machine.tally(Instant::now());
        CircuitSight { state: machine.state(), calls, failed, slow, opened: self.opened.load(Ordering::Relaxed) }
    }

    pub(super) fn settings(&self) -> CircuitBreaker {
        self.machine().settings().clone()
    }

    pub(super) fn configure(&self, settings: CircuitBreaker) {
        self.machine().configure(settings, Instant::now());
    }

    pub(super) fn force(&self, forced: Option<Forced>) {
        let change = self.machine().force(forced, Instant::now());
        self.tell(change);
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: Option<Change>) {
        let Some(change) = change else { return };
        self.told(change);
    }

    #[cold]
    fn told(&self, Change { from, to, calls, failed, slow }: Change) {
        let (policy, from) = (&*self.name, from.name());
        match to {
            BreakerState::Open | BreakerState::ForcedOpen => {
                self.opened.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(policy, from, to = to.name(), calls, failed, slow, "circuit opened, calls are refused");
            }
            _ => tracing::info!(policy, from, to = to.name(), calls, failed, slow, "circuit changed"),
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.name).field("state", &self.state()).finish_non_exhaustive()
    }
}

/// A call that was let through. Dropped without a word it counts as nothing, and makes room for another trial.
#[derive(Debug)]
#[must_use]
pub(super) struct Trial {
    breaker: Arc<Breaker>,
    ticket: Option<Ticket>,
    began: Instant,
}

impl Trial {
    /// The call is over.
    pub(super) fn end(mut self, failed: bool, now: Instant) {
        if let Some(ticket) = self.ticket.take() {
            let took = now.saturating_duration_since(self.began);
            let change = self.breaker.machine().end(ticket, now, Ended { failed, took });
            self.breaker.tell(change);
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            self.breaker.machine().withdraw(ticket);
        }
    }
}
