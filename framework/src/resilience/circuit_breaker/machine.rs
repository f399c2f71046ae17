//! The states of a breaker and how one follows the other. No clock, no lock, no I/O: the time is handed in.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    CircuitBreaker,
    window::{Samples, Tally},
};

/// Whether calls go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go through, and are counted.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls go through to try.
    HalfOpen,
    /// Calls are refused, since somebody said so.
    ForcedOpen,
    /// Calls go through whatever they come to, since somebody said so.
    ForcedClosed,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Closed, Self::Open, Self::HalfOpen, Self::ForcedOpen, Self::ForcedClosed];

    /// As logs, metrics and the board name it: `closed`, `open`, `half_open`, `forced_open`, `forced_closed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
        }
    }
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: BreakerState,
    pub(super) to: BreakerState,
    /// What was in the window, or what the trials came to.
    pub(super) calls: u32,
    pub(super) failed: u32,
    pub(super) slow: u32,
}

/// Lets one call through, and is told what it came to. Neither copied nor forgotten: whoever has it gives it back.
#[derive(Debug)]
#[must_use]
pub(super) struct Ticket {
    epoch: u64,
}

/// What a call came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) failed: bool,
    pub(super) took: Duration,
}

pub(super) struct Machine {
    settings: CircuitBreaker,
    state: State,
    /// Grows with each change of state: what a call of an earlier one comes to says nothing about this one.
    epoch: u64,
    forced: Option<Forced>,
}

enum State {
    Closed(Samples),
    Open { until: Instant },
    HalfOpen { under_way: u32, over: Tally },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Forced {
    Open,
    Closed,
}

impl Machine {
    pub(super) fn new(settings: CircuitBreaker, now: Instant) -> Self {
        let state = State::Closed(Samples::new(settings.window, now));
        Self { settings, state, epoch: 0, forced: None }
    }

    pub(super) fn state(&self) -> BreakerState {
        match (self.forced, &self.state) {
            (Some(Forced::Open), _) => BreakerState::ForcedOpen,
            (Some(Forced::Closed), _) => BreakerState::ForcedClosed,
            (None, State::Closed(_)) => BreakerState::Closed,
            (None, State::Open { .. }) => BreakerState::Open,
            (None, State::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }

    pub(super) fn settings(&self) -> &CircuitBreaker {
        &self.settings
    }

    /// Lets a call through, or says after how long another one may be; `None`: nobody knows.
    pub(super) fn admit(&mut self, now: Instant) -> (Result<Ticket, Option<Duration>>, Option<Change>) {
        match self.forced {
            Some(Forced::Open) => return (Err(None), None),
            Some(Forced::Closed) => return (Ok(self.ticket()), None),
            None => {}
        }
        match &mut self.state {
            State::Closed(_) => (Ok(self.ticket()), None),
            State::Open { until } if now < *until => (Err(Some(*until - now)), None),
            State::Open { .. } => {
                let change = self.go(State::HalfOpen { under_way: 1, over: Tally::default() }, Tally::default());
                (Ok(self.ticket()), Some(change))
            }
            State::HalfOpen { under_way, over } => {
                if *under_way + over.calls >= self.settings.trials {
                    return (Err(None), None);
                }
                *under_way += 1;
                (Ok(self.ticket()), None)
            }
        }
    }

    /// A call is over.
    pub(super) fn end(&mut self, ticket: Ticket, now: Instant, ended: Ended) -> Option<Change> {
        let slow = self.settings.slow_after.is_some_and(|slow_after| ended.took >= slow_after);
        if ticket.epoch != self.epoch {
            return None;
        }
        match &mut self.state {
            State::Closed(samples) => {
                let tally = samples.add(now, ended.failed, slow);
                let enough = match self.settings.window {
                    super::Window::Calls(calls) => self.settings.min_calls.min(calls),
                    super::Window::Time(_) => self.settings.min_calls,
                };
                let opens = tally.calls >= enough && self.is_too_bad(tally, tally.calls);
                (opens && self.forced.is_none()).then(|| self.open(now, tally))
            }
            State::HalfOpen { under_way, over } => {
                *under_way -= 1;
                over.add(ended.failed, slow);
                let over = *over;
                // As soon as those that are still to come cannot turn it.
                if self.is_too_bad(over, self.settings.trials) {
                    Some(self.open(now, over))
                } else if over.calls >= self.settings.trials {
                    let closed = State::Closed(Samples::new(self.settings.window, now));
                    Some(self.go(closed, over))
                } else {
                    None
                }
            }
            State::Open { .. } => None,
        }
    }

    /// A call came to nothing that says anything: it was dropped, or was wrong by itself.
    pub(super) fn withdraw(&mut self, ticket: &Ticket) {
        if ticket.epoch == self.epoch
            && let State::HalfOpen { under_way, .. } = &mut self.state
        {
            *under_way -= 1;
        }
    }

    /// Opens or closes it until it is told otherwise. `None`: it decides by itself again, beginning closed.
    pub(super) fn force(&mut self, forced: Option<Forced>, now: Instant) -> Option<Change> {
        if self.forced == forced {
            return None;
        }
        let from = self.state();
        self.forced = forced;
        let change = self.go(State::Closed(Samples::new(self.settings.window, now)), Tally::default());
        Some(Change { from, ..change })
    }

    /// Takes other settings. Its state stays, and what it counts begins anew where it is counted otherwise.
    pub(super) fn configure(&mut self, settings: CircuitBreaker, now: Instant) {
        match &mut self.state {
            State::Closed(samples) if settings.window != self.settings.window => {
                *samples = Samples::new(settings.window, now);
            }
            // With fewer trials than it has seen it would wait for none for ever.
            State::HalfOpen { under_way, over } => {
                (*under_way, *over) = (0, Tally::default());
                self.epoch += 1;
            }
            State::Closed(_) | State::Open { .. } => {}
        }
        self.settings = settings;
    }

    /// What is in the window, or what the trials came to so far.
    pub(super) fn tally(&mut self, now: Instant) -> Tally {
        match &mut self.state {
            State::Closed(samples) => samples.total(now),
            State::Open { .. } => Tally::default(),
            State::HalfOpen { over, .. } => *over,
        }
    }

    fn ticket(&self) -> Ticket {
        Ticket { epoch: self.epoch }
    }

    fn is_too_bad(&self, tally: Tally, of: u32) -> bool {
        // Divided, as people write it: 7 of 100 are 0.07, and 0.07 times 100 is more than 7.
        let reaches = |count: u32, rate: f64| f64::from(count) / f64::from(of) >= rate;
        reaches(tally.failed, self.settings.failure_rate)
            || (self.settings.slow_after.is_some() && reaches(tally.slow, self.settings.slow_rate))
    }

    fn open(&mut self, now: Instant, tally: Tally) -> Change {
        let until = now + self.settings.open_for;
        self.go(State::Open { until }, tally)
    }

    fn go(&mut self, state: State, Tally { calls, failed, slow }: Tally) -> Change {
        let from = self.state();
        self.state = state;
        self.epoch += 1;
        Change { from, to: self.state(), calls, failed, slow }
    }
}
