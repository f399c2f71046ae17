use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU8, Ordering},
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;

/// Why a worker was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Cancelled {
    /// Nobody waits for its reply any more.
    DeadlinePassed = 1,
    /// The connection that delivered the request is gone: somebody else gets it.
    ConnectionLost = 2,
    /// The container stops and the grace period is over.
    Stopping = 3,
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeadlinePassed => "the deadline passed",
            Self::ConnectionLost => "the connection was lost",
            Self::Stopping => "the service stops",
        })
    }
}

/// Whether a worker was told to end, and who is to be woken by it.
#[derive(Default)]
pub(super) struct Cancellation {
    reason: AtomicU8,
    waker: AtomicWaker,
}

impl Cancellation {
    pub(super) fn cancel(&self, reason: Cancelled) {
        // The first reason stays.
        let _ = self.reason.compare_exchange(0, reason as u8, Ordering::Release, Ordering::Relaxed);
        self.waker.wake();
    }

    fn reason(&self) -> Option<Cancelled> {
        match self.reason.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Cancelled::DeadlinePassed),
            2 => Some(Cancelled::ConnectionLost),
            _ => Some(Cancelled::Stopping),
        }
    }
}

/// See [`WorkerContext::until_cancelled`].
pub(crate) struct UntilCancelled<'a, F> {
    pub(super) cancellation: &'a Cancellation,
    pub(super) future: F,
}

impl<F: Future + Unpin> Future for UntilCancelled<'_, F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(reason) = self.cancellation.reason() {
            return Poll::Ready(Err(reason));
        }
        if let Poll::Ready(output) = Pin::new(&mut self.future).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        self.cancellation.waker.register(cx.waker());
        // Cancelled between the look and the registration?
        match self.cancellation.reason() {
            Some(reason) => Poll::Ready(Err(reason)),
            None => Poll::Pending,
        }
    }
}
