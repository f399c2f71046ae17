//! What a connection is busy with, and when that has taken too long.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::settings::ConnectionLimits;

/// How long a connection that was asked to close may take for it, when it has nothing to send.
const LINGER: Duration = Duration::from_secs(1);

/// What one connection is doing.
///
/// hyper has a limit for a head, which begins with the end of the answer before: it cannot tell a caller who rests from one who
/// sends a byte a second. HTTP/2 has no limit there at all, nor is there one for callers who do not read their answers.
#[derive(Debug)]
pub(super) struct Activity {
    limits: ConnectionLimits,
    state: Mutex<State>,
    /// It is no HTTP any more: what it is now has its own limits.
    upgraded: AtomicBool,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Requests whose answer has not left.
    requests: usize,
    /// Since when the caller takes none of the bytes that wait for it.
    stalled: Option<Instant>,
    /// Since when it shall close and had nothing to do but to send what is left.
    closing: Option<Instant>,
    is_http2: bool,
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
        let state =
            State { phase: Phase::Head(Instant::now()), requests: 0, stalled: None, closing: None, is_http2: false };
        Arc::new(Self { limits, state: Mutex::new(state), upgraded: AtomicBool::new(false) })
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

    /// The caller took bytes.
    pub(super) fn wrote(&self) {
        let mut state = self.state();
        state.stalled = None;
        // The rest of an answer whose end hyper has long since taken over.
        if state.requests == 0 {
            let now = Instant::now();
            if let Phase::Idle(since) = &mut state.phase {
                *since = now;
            }
            state.closing = state.closing.map(|_| now);
        }
    }

    /// Whether there are bytes that the caller does not take.
    pub(super) fn stalled(&self, is_stalled: bool) {
        let mut state = self.state();
        match is_stalled {
            true => drop(state.stalled.get_or_insert_with(Instant::now)),
            false => state.stalled = None,
        }
    }

    pub(super) fn upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// It was told to close when its requests are answered.
    pub(super) fn close(&self) {
        self.state().closing.get_or_insert_with(Instant::now);
    }

    /// When it is overdue, as it stands.
    fn due(&self) -> Option<(Instant, Overdue)> {
        if self.is_upgraded() {
            return None;
        }
        let state = self.state();
        let after = |since: Instant, limit, overdue| since.checked_add(limit).map(|at| (at, overdue));
        let ConnectionLimits { header_timeout, idle_timeout, .. } = self.limits;
        let phase = match state.phase {
            Phase::Busy => None,
            Phase::Head(since) => after(since, header_timeout, Overdue::Stuck),
            Phase::Idle(_) if state.closing.is_some() => None,
            Phase::Idle(since) => after(since, idle_timeout, Overdue::Idle),
        };
        let stalled = state.stalled.and_then(|since| after(since, idle_timeout, Overdue::Stuck));
        let closing = state.closing.filter(|_| state.requests == 0).and_then(|since| {
            let limit = if state.stalled.is_some() { header_timeout } else { LINGER };
            after(since, limit, Overdue::Stuck)
        });
        [phase, stalled, closing].into_iter().flatten().min_by_key(|(at, _)| *at)
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
            state.closing = state.closing.map(|_| now);
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
