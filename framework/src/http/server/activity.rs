//! What a connection is busy with, and when that has taken too long.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::settings::ConnectionLimits;

/// How long a connection that was asked to close may take for it.
const LINGER: Duration = Duration::from_secs(1);

/// What one connection is doing.
///
/// hyper has a limit for a head, which begins with the end of the answer before: it cannot tell a caller who rests from one who
/// sends a byte a second. HTTP/2 has no limit there at all, nor is there one for callers who do not read their answers.
#[derive(Debug)]
pub(super) struct Activity {
    limits: ConnectionLimits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Requests whose answer has not left.
    requests: usize,
    /// Since when the caller takes none of the bytes that wait for it.
    stalled: Option<Instant>,
    /// When it ends in any case: it was asked to close.
    ends: Option<Instant>,
    /// Whether it shall close when it has nothing to do.
    draining: bool,
    is_http2: bool,
    /// It is no HTTP any more: what it is now has its own limits.
    upgraded: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No byte of a next request has come. Without a first request this is a head, too: who connects has something to say.
    Idle(Instant),
    /// A head is on its way.
    Head(Instant),
    /// Requests run.
    Busy,
}

/// What has to happen to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// It rested for long enough.
    Idle,
    /// Its other side holds it up.
    Stuck,
}

impl Activity {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Self> {
        let state = State {
            phase: Phase::Head(Instant::now()),
            requests: 0,
            stalled: None,
            ends: None,
            draining: false,
            is_http2: false,
            upgraded: false,
        };
        Arc::new(Self { limits, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is there; it lasts as long as what is returned.
    pub(super) fn request(self: &Arc<Self>, is_http2: bool) -> Running {
        let mut state = self.state();
        state.requests += 1;
        state.phase = Phase::Busy;
        state.is_http2 = is_http2;
        Running(self.clone())
    }

    /// Bytes came.
    pub(super) fn read(&self) {
        let mut state = self.state();
        // Between requests HTTP/2 has frames that say nothing, such as pings.
        if let (Phase::Idle(_), false) = (state.phase, state.is_http2) {
            state.phase = Phase::Head(Instant::now());
        }
    }

    /// The caller took bytes, or it took none.
    pub(super) fn wrote(&self, took: bool) {
        let mut state = self.state();
        match (took, state.stalled) {
            (true, Some(_)) => state.stalled = None,
            (false, None) => state.stalled = Some(Instant::now()),
            _ => {}
        }
    }

    pub(super) fn upgraded(&self) {
        self.state().upgraded = true;
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.state().upgraded
    }

    /// It was told to close when its requests are answered.
    pub(super) fn drain(&self) {
        let mut state = self.state();
        state.draining = true;
        if state.requests == 0 {
            state.ends = Some(Instant::now() + LINGER);
        }
    }

    /// When it is overdue, as it stands.
    fn due(&self) -> Option<(Instant, Overdue)> {
        let state = self.state();
        if state.upgraded {
            return None;
        }
        let stuck = |since: Instant, limit| since.checked_add(limit).map(|at| (at, Overdue::Stuck));
        let phase = match state.phase {
            Phase::Busy => None,
            Phase::Head(since) => stuck(since, self.limits.header_timeout),
            Phase::Idle(since) => since.checked_add(self.limits.idle_timeout).map(|at| (at, Overdue::Idle)),
        };
        let stalled = state.stalled.and_then(|since| stuck(since, self.limits.idle_timeout));
        let ends = state.ends.filter(|_| state.requests == 0).map(|at| (at, Overdue::Stuck));
        [phase, stalled, ends].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

/// A request, from its head to the last byte of its answer.
#[derive(Debug)]
pub(super) struct Running(Arc<Activity>);

impl Running {
    pub(super) fn activity(&self) -> &Activity {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        if state.requests == 0 {
            let now = Instant::now();
            state.phase = Phase::Idle(now);
            if state.draining {
                // What it flushes now is the rest of its last answer.
                state.ends = Some(now + LINGER.max(self.0.limits.header_timeout));
            }
        }
    }
}

/// Ends when the connection is overdue. To be polled whenever the connection was.
pub(super) struct Watchdog {
    activity: Arc<Activity>,
    sleep: Pin<Box<Sleep>>,
}

impl Watchdog {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        let first = Instant::now() + activity.limits.header_timeout;
        Self { activity, sleep: Box::pin(sleep_until(first)) }
    }
}

impl Future for Watchdog {
    type Output = Overdue;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Overdue> {
        let due = self.activity.due();
        if let Some((at, _)) = due
            && at < self.sleep.deadline()
        {
            self.sleep.as_mut().reset(at);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match due {
                Some((at, overdue)) if at <= now => return Poll::Ready(overdue),
                Some((at, _)) => self.sleep.as_mut().reset(at),
                // An answer may end in a task of its own, which wakes nobody here.
                None => {
                    let next = now + self.activity.limits.idle_timeout.min(Duration::from_secs(60));
                    self.sleep.as_mut().reset(next);
                }
            }
        }
        Poll::Pending
    }
}
