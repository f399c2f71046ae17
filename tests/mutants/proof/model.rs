//! What the docs of `CircuitBreaker` say, as plainly as can be: every call that ever ended is kept, and all is looked up anew each time.
//!
//! Written from those docs and not from the code, which reckons otherwise.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    settings::{Settings, Window},
    subject::{Counted, Forced, Looks},
};

pub(crate) struct Model {
    pub(crate) settings: Settings,
    phase: Phase,
    forced: Option<Forced>,
    /// How often the state has changed, or the trials have begun anew.
    changes: usize,
    under_way: Vec<Call>,
    ended: Vec<End>,
    /// Those that ended before are not looked back upon.
    first: usize,
    counts_from: Instant,
    opened: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen,
}

struct Call {
    number: usize,
    began: Instant,
    after_changes: usize,
}

struct End {
    at: Instant,
    failed: bool,
    slow: bool,
}

impl Model {
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            phase: Phase::Closed,
            forced: None,
            changes: 0,
            under_way: Vec::new(),
            ended: Vec::new(),
            first: 0,
            counts_from: now,
            opened: 0,
        }
    }

    pub(crate) fn enter(&mut self, number: usize, now: Instant) -> Result<(), Option<Duration>> {
        if self.forced == Some(Forced::Open) {
            return Err(None);
        }
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err(Some(until - now));
            }
            self.change(Phase::HalfOpen, now);
        }
        let tried = self.trials_under_way() + self.counted(now).calls;
        if self.phase == Phase::HalfOpen && tried == self.settings.trials as usize {
            return Err(None);
        }
        self.under_way.push(Call { number, began: now, after_changes: self.changes });
        Ok(())
    }

    pub(crate) fn end(&mut self, number: usize, failed: bool, now: Instant) {
        let call = self.take(number);
        if call.after_changes != self.changes {
            return;
        }
        let slow = self.settings.slow_after.is_some_and(|slow_after| now - call.began >= slow_after);
        self.ended.push(End { at: now, failed, slow });
        let Counted { calls, .. } = self.counted(now);
        let trials = self.settings.trials as usize;
        match self.phase {
            _ if self.forced.is_some() => {}
            Phase::Closed if calls >= self.least_calls() && self.is_too_bad(calls, now) => self.open(now),
            Phase::HalfOpen if self.is_too_bad(trials, now) => self.open(now),
            Phase::HalfOpen if calls == trials => self.change(Phase::Closed, now),
            _ => {}
        }
    }

    pub(crate) fn cancel(&mut self, number: usize) {
        self.take(number);
    }

    pub(crate) fn force(&mut self, forced: Option<Forced>, now: Instant) {
        if self.forced != forced {
            self.forced = forced;
            self.opened += u64::from(forced == Some(Forced::Open));
            self.change(Phase::Closed, now);
        }
    }

    pub(crate) fn configure(&mut self, settings: Settings, now: Instant) {
        if self.phase == Phase::HalfOpen {
            self.change(Phase::HalfOpen, now);
        } else if settings.window != self.settings.window {
            self.forget(now);
        }
        self.settings = settings;
    }

    pub(crate) fn looks(&self) -> Looks {
        let state = match (self.forced, self.phase) {
            (Some(Forced::Open), _) => "forced_open",
            (Some(Forced::Closed), _) => "forced_closed",
            (None, Phase::Closed) => "closed",
            (None, Phase::Open { .. }) => "open",
            (None, Phase::HalfOpen) => "half_open",
        };
        Looks { state, under_way: self.trials_under_way() }
    }

    pub(crate) fn counted(&self, now: Instant) -> Counted {
        let looked_at: Vec<&End> = self.ended[self.first..].iter().filter(|end| self.is_in_time(end, now)).collect();
        let most = match self.settings.window {
            Window::Calls(calls) if self.phase == Phase::Closed => calls as usize,
            _ => usize::MAX,
        };
        let last = &looked_at[looked_at.len().saturating_sub(most)..];
        let count = |which: fn(&End) -> bool| last.iter().filter(|end| which(end)).count();
        Counted { calls: last.len(), failed: count(|end| end.failed), slow: count(|end| end.slow), opened: self.opened }
    }

    /// How long it stays open.
    pub(crate) fn open_for(&self, now: Instant) -> Duration {
        if let Phase::Open { until } = self.phase { until.saturating_duration_since(now) } else { Duration::ZERO }
    }

    /// How long a call has to go on until it is slow.
    pub(crate) fn slow_in(&self, number: usize, now: Instant) -> Duration {
        let call = self.under_way.iter().find(|call| call.number == number).expect("it is under way");
        self.settings.slow_after.unwrap_or_default().saturating_sub(now - call.began)
    }

    /// In the tenth of now, or in one of the nine before it.
    fn is_in_time(&self, end: &End, now: Instant) -> bool {
        let Window::Time(time) = self.settings.window else { return true };
        let tenth = (time.as_nanos() / 10).max(1);
        let number = |at: Instant| (at - self.counts_from).as_nanos() / tenth;
        self.phase != Phase::Closed || number(now) - number(end.at) < 10
    }

    fn trials_under_way(&self) -> usize {
        let of_now = self.under_way.iter().filter(|call| call.after_changes == self.changes);
        if self.phase == Phase::HalfOpen { of_now.count() } else { 0 }
    }

    fn least_calls(&self) -> usize {
        let least = match self.settings.window {
            Window::Calls(calls) => self.settings.min_calls.min(calls),
            Window::Time(_) => self.settings.min_calls,
        };
        least as usize
    }

    fn is_too_bad(&self, of: usize, now: Instant) -> bool {
        let Counted { failed, slow, .. } = self.counted(now);
        let Settings { failure_rate, slow_rate, slow_after, .. } = self.settings;
        failure_rate.is_reached_by(failed, of) || (slow_after.is_some() && slow_rate.is_reached_by(slow, of))
    }

    fn take(&mut self, number: usize) -> Call {
        let at = self.under_way.iter().position(|call| call.number == number).expect("it is under way");
        self.under_way.swap_remove(at)
    }

    fn open(&mut self, now: Instant) {
        self.opened += 1;
        self.change(Phase::Open { until: now + self.settings.open_for }, now);
    }

    fn change(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.changes += 1;
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        self.first = self.ended.len();
        self.counts_from = now;
    }
}
