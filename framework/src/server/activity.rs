//! What a connection is busy with, and when that has taken too long.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
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
    base: Instant,
    /// Requests whose answer has not left.
    requests: AtomicUsize,
    /// While there are none: whether bytes of a next head have come. Without a first request this is a head, too: who connects has
    /// something to say.
    in_head: AtomicBool,
    /// Since when the head is on its way, or nothing is.
    waiting: Since,
    /// Since when the caller takes none of the bytes that wait for it.
    stalled: Since,
    /// Since when it shall close and had nothing to do but to send what is left.
    closing: Since,
    is_http2: AtomicBool,
    /// It is no HTTP any more: what it is now has its own limits.
    upgraded: AtomicBool,
}

/// Since when something is so.
///
/// What begins is told without a look at the clock, since a request has many beginnings that are over at once; the watchdog, which comes
/// after each of them, looks.
#[derive(Debug)]
struct Since(AtomicU64);

/// It is not so.
const NOT: u64 = 0;
/// It is so, since just now.
const NOW: u64 = 1;

impl Since {
    const fn begun() -> Self {
        Self(AtomicU64::new(NOW))
    }

    const fn not() -> Self {
        Self(AtomicU64::new(NOT))
    }

    fn holds(&self) -> bool {
        self.0.load(Ordering::Relaxed) != NOT
    }

    fn begin(&self) {
        if !self.holds() {
            self.0.store(NOW, Ordering::Relaxed);
        }
    }

    fn begin_again(&self) {
        self.0.store(NOW, Ordering::Relaxed);
    }

    fn end(&self) {
        if self.holds() {
            self.0.store(NOT, Ordering::Relaxed);
        }
    }

    /// When it began; where that is just now, this is the look at the clock.
    fn instant(&self, base: Instant) -> Option<Instant> {
        match self.0.load(Ordering::Relaxed) {
            NOT => None,
            NOW => {
                let now = Instant::now();
                let micros = now.duration_since(base).as_micros();
                self.0.store(u64::try_from(micros).unwrap_or(u64::MAX).saturating_add(NOW + 1), Ordering::Relaxed);
                Some(now)
            }
            micros => base.checked_add(Duration::from_micros(micros - NOW - 1)),
        }
    }
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
    /// `is_http2`: known before its first request; then it may rest without having sent one.
    pub(super) fn new(limits: ConnectionLimits, is_http2: bool) -> Arc<Self> {
        Arc::new(Self {
            limits,
            base: Instant::now(),
            requests: AtomicUsize::new(0),
            in_head: AtomicBool::new(!is_http2),
            waiting: Since::begun(),
            stalled: Since::not(),
            closing: Since::not(),
            is_http2: AtomicBool::new(is_http2),
            upgraded: AtomicBool::new(false),
        })
    }

    fn is_busy(&self) -> bool {
        self.requests.load(Ordering::Acquire) > 0
    }

    fn is_in_head(&self) -> bool {
        self.in_head.load(Ordering::Relaxed)
    }

    /// A request is there; it lasts as long as what is returned.
    pub(super) fn request(self: &Arc<Self>, is_http2: bool) -> Running {
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.is_http2.store(is_http2, Ordering::Relaxed);
        Running(self.clone())
    }

    /// Bytes came.
    pub(super) fn read(&self) {
        // Between requests HTTP/2 has frames that say nothing, such as pings.
        if !self.is_busy() && !self.is_in_head() && !self.is_http2.load(Ordering::Relaxed) {
            self.in_head.store(true, Ordering::Relaxed);
            self.waiting.begin_again();
        }
    }

    /// The caller took bytes.
    pub(super) fn wrote(&self) {
        self.stalled.end();
        // The rest of an answer whose end hyper has long since taken over.
        if !self.is_busy() {
            self.rest();
        }
    }

    /// Nothing has happened since just now.
    fn rest(&self) {
        if !self.is_in_head() {
            self.waiting.begin_again();
        }
        if self.closing.holds() {
            self.closing.begin_again();
        }
    }

    /// Whether there are bytes that the caller does not take.
    pub(super) fn stalled(&self, is_stalled: bool) {
        match is_stalled {
            true => self.stalled.begin(),
            false => self.stalled.end(),
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
        self.closing.begin();
    }

    /// When it is overdue, as it stands.
    fn due(&self) -> Option<(Instant, Overdue)> {
        if self.is_upgraded() {
            return None;
        }
        let is_busy = self.is_busy();
        let ConnectionLimits { header_timeout, idle_timeout, .. } = self.limits;
        let after = |since: &Since, limit, overdue| {
            since.instant(self.base).and_then(|since| since.checked_add(limit)).map(|at| (at, overdue))
        };
        let waiting = match self.is_in_head() {
            _ if is_busy => None,
            true => after(&self.waiting, header_timeout, Overdue::Stuck),
            false if self.closing.holds() => None,
            false => after(&self.waiting, idle_timeout, Overdue::Idle),
        };
        let stalled = after(&self.stalled, idle_timeout, Overdue::Stuck);
        let closing = match is_busy {
            true => None,
            false => {
                let limit = if self.stalled.holds() { header_timeout } else { LINGER };
                after(&self.closing, limit, Overdue::Stuck)
            }
        };
        [waiting, stalled, closing].into_iter().flatten().min_by_key(|(at, _)| *at)
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
        let activity = &self.0;
        if activity.requests.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        activity.in_head.store(false, Ordering::Relaxed);
        activity.rest();
        if activity.is_http2.load(Ordering::Relaxed) {
            // The watchdog may be asleep: an answer of HTTP/2 ends in a task of its own.
            activity.waiting.instant(activity.base);
            activity.closing.instant(activity.base);
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
        let first = Instant::now() + activity.limits.header_timeout.min(activity.limits.idle_timeout);
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
