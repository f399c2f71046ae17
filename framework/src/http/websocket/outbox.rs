//! What waits to be written to one socket, and whether it is to be closed.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::{CloseCode, Utf8Bytes};
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// Why a socket is closed: what the peer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) code: CloseCode,
    pub(super) reason: Utf8Bytes,
}

impl Closing {
    pub(super) fn new(code: CloseCode, reason: &'static str) -> Self {
        Self { code, reason: Utf8Bytes::from_static(reason) }
    }
}

/// What is written next.
pub(super) enum Next {
    Text(Waiting),
    Close(Closing),
}

/// A message that waits to be written.
pub(super) struct Waiting {
    pub(super) text: Utf8Bytes,
    /// Held by an answer until it is written: its call is in flight until then.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// Filled from everywhere, emptied by the socket's connection alone.
pub(super) struct Outbox {
    state: Mutex<State>,
    /// There is something to write, or it is to be closed.
    filled: Notify,
    /// It is to be closed, at once or when its calls are answered.
    ending: Notify,
    /// It is to be closed at once.
    closing: Notify,
    max_pending_bytes: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    event_bytes: usize,
    end: End,
}

#[derive(Default, Clone)]
enum End {
    #[default]
    Open,
    /// Nothing more is read; closed when the running calls are answered.
    Finishing(Closing),
    /// Closed when what waits is written.
    Closing(Closing),
    /// There is no connection any more.
    Gone,
}

/// The socket takes nothing any more.
pub(super) struct Gone;

impl Outbox {
    pub(super) fn new(max_pending_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            filled: Notify::new(),
            ending: Notify::new(),
            closing: Notify::new(),
            max_pending_bytes,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event. Where too much waits already, the peer does not keep up: what waits is dropped, and it is closed.
    pub(super) fn event(&self, text: Utf8Bytes) -> Result<(), Gone> {
        let mut state = self.state();
        if !matches!(state.end, End::Open | End::Finishing(_)) {
            return Err(Gone);
        }
        let bytes = state.event_bytes.saturating_add(text.len());
        if state.event_bytes > 0 && bytes > self.max_pending_bytes {
            state.waiting.clear();
            state.event_bytes = 0;
            state.end = End::Closing(Closing::new(TOO_SLOW, "reads too slowly: too many events wait to be sent"));
            drop(state);
            self.wake();
            return Err(Gone);
        }
        state.event_bytes = bytes;
        state.waiting.push_back(Waiting { text, permit: None });
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Adds an answer. How many may wait is bounded by the permits.
    pub(super) fn answer(&self, text: Utf8Bytes, permit: OwnedSemaphorePermit) {
        let mut state = self.state();
        if matches!(state.end, End::Open | End::Finishing(_)) {
            state.waiting.push_back(Waiting { text, permit: Some(permit) });
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Closes when the running calls are answered.
    pub(super) fn finish(&self, closing: Closing) {
        let mut state = self.state();
        if matches!(state.end, End::Open) {
            state.end = End::Finishing(closing);
            drop(state);
            self.ending.notify_one();
        }
    }

    /// Closes when what waits is written.
    pub(super) fn close(&self, closing: Closing) {
        let mut state = self.state();
        if matches!(state.end, End::Open | End::Finishing(_)) {
            state.end = End::Closing(closing);
            drop(state);
            self.wake();
        }
    }

    fn wake(&self) {
        self.filled.notify_one();
        self.ending.notify_one();
        self.closing.notify_one();
    }

    /// The running calls are answered.
    pub(super) fn finished(&self) {
        let end = self.state().end.clone();
        if let End::Finishing(closing) = end {
            self.close(closing);
        }
    }

    /// The connection is gone.
    pub(super) fn gone(&self) {
        let mut state = self.state();
        state.end = End::Gone;
        state.waiting.clear();
        state.event_bytes = 0;
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state().end, End::Open)
    }

    /// Waits until it is no longer open. For the connection alone.
    pub(super) async fn ending(&self) {
        while self.is_open() {
            self.ending.notified().await;
        }
    }

    /// Waits until it is to be closed. For the connection alone.
    pub(super) async fn closing(&self) {
        while matches!(self.state().end, End::Open | End::Finishing(_)) {
            self.closing.notified().await;
        }
    }

    /// What is to be written next; stays to be taken where this is dropped. For the connection alone.
    pub(super) async fn next(&self) -> Next {
        loop {
            {
                let mut state = self.state();
                if let Some(next) = state.waiting.pop_front() {
                    if next.permit.is_none() {
                        state.event_bytes = state.event_bytes.saturating_sub(next.text.len());
                    }
                    return Next::Text(next);
                }
                if let End::Closing(closing) = &state.end {
                    return Next::Close(closing.clone());
                }
            }
            self.filled.notified().await;
        }
    }
}

/// RFC 6455's "policy violation": of the codes that there are, the one for what none other says.
const TOO_SLOW: CloseCode = 1008;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn text(next: Option<Next>) -> String {
        match next {
            Some(Next::Text(waiting)) => waiting.text.to_string(),
            Some(Next::Close(closing)) => format!("{} {}", closing.code, closing.reason),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn who_does_not_keep_up_is_closed_and_what_waits_dropped() {
        let outbox = Outbox::new(10);
        assert!(outbox.event("a single one may be larger".into()).is_ok());
        assert_eq!(text(outbox.next().now_or_never()), "a single one may be larger");
        assert!(outbox.event("12345".into()).is_ok());
        assert!(outbox.event("67890".into()).is_ok());
        assert!(outbox.event("1".into()).is_err());
        assert_eq!(text(outbox.next().now_or_never()), "1008 reads too slowly: too many events wait to be sent");
        assert!(outbox.event("2".into()).is_err());
        assert!(outbox.closing().now_or_never().is_some());
    }

    #[test]
    fn what_waits_is_written_before_the_close() {
        let outbox = Outbox::new(10);
        outbox.finish(Closing::new(1001, "stopping"));
        assert!(outbox.ending().now_or_never().is_some() && outbox.closing().now_or_never().is_none());
        assert!(outbox.event("last".into()).is_ok());
        outbox.finished();
        assert_eq!(text(outbox.next().now_or_never()), "last");
        assert_eq!(text(outbox.next().now_or_never()), "1001 stopping");
    }
}
