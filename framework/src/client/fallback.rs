//! What a call of a client's method comes to where its service is not well: the last good answer, or what a function says.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    future::Future,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use super::CallError;
use crate::codec::Format;

/// The most answers that are kept of one method.
const MOST_KEPT: usize = 1_000;
/// A larger answer is not kept.
const MOST_BYTES: usize = 64 * 1024;

/// What a call of a method gives, for the functions that may stand in its place. Generated clients have one for each method.
#[derive(Debug)]
pub struct MethodOf<T, E>(PhantomData<fn() -> (T, E)>);

impl<T, E> MethodOf<T, E> {
    /// It is only a type.
    #[allow(clippy::new_without_default, reason = "generated code is all that makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// A function that stands in the place of a call: takes the error, and returns what the call does.
#[diagnostic::on_unimplemented(
    message = "a fallback takes a call's error and returns what the call does",
    label = "not an `async fn` from `CallError<{E}>` to `Result<{T}, CallError<{E}>>`",
    note = "write `async fn instead(error: CallError<{E}>) -> Result<{T}, CallError<{E}>>`"
)]
pub trait InsteadOf<T, E>: Send + Sync + 'static {
    /// Calls it.
    fn answer(&self, error: CallError<E>) -> BoxFuture<'static, Result<T, CallError<E>>>;
}

#[diagnostic::do_not_recommend]
impl<T, E, F, R> InsteadOf<T, E> for F
where
    F: Fn(CallError<E>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<T, CallError<E>>> + Send + 'static,
{
    fn answer(&self, error: CallError<E>) -> BoxFuture<'static, Result<T, CallError<E>>> {
        self(error).boxed()
    }
}

/// The fallback of one method, whose types its client's calls have as well.
#[derive(Clone)]
pub(super) struct Fallback(Arc<dyn Any + Send + Sync>);

/// What is in it.
type Typed<T, E> = Box<dyn InsteadOf<T, E>>;

impl Fallback {
    pub(super) fn new<T: 'static, E: 'static>(_: MethodOf<T, E>, function: impl InsteadOf<T, E>) -> Self {
        let typed: Typed<T, E> = Box::new(function);
        Self(Arc::new(typed))
    }

    pub(super) async fn answer<T: 'static, E: 'static>(&self, error: CallError<E>) -> Result<T, CallError<E>> {
        match self.0.downcast_ref::<Typed<T, E>>() {
            Some(function) => function.answer(error).await,
            // An untyped call of the method.
            None => Err(error),
        }
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fallback")
    }
}

/// The last good answers of one method, each to the same call: with the same arguments, on behalf of the same caller.
pub(super) struct LastGood {
    /// For how long each counts.
    time: Duration,
    kept: Mutex<HashMap<Vec<u8>, Kept>>,
}

struct Kept {
    at: Instant,
    format: Format,
    body: Bytes,
}

impl LastGood {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, kept: Mutex::default() }
    }

    pub(super) fn keep(&self, call: &[u8], format: &Format, body: &Bytes) {
        let mut kept = self.kept();
        if body.len() > MOST_BYTES {
            // It would be the last but one.
            kept.remove(call);
            return;
        }
        let now = Instant::now();
        if kept.len() >= MOST_KEPT && !kept.contains_key(call) {
            kept.retain(|_, answer| now < answer.at + self.time);
        }
        if kept.len() >= MOST_KEPT && !kept.contains_key(call) {
            // In the map's order, which is random: one by one the oldest would be looked for.
            let gone: Vec<_> = kept.keys().take(MOST_KEPT / 8).cloned().collect();
            gone.iter().for_each(|call| drop(kept.remove(call)));
        }
        // A part of what a connection read would keep all of it.
        let body = Bytes::copy_from_slice(body);
        kept.insert(call.to_vec(), Kept { at: now, format: format.clone(), body });
    }

    pub(super) fn get(&self, call: &[u8]) -> Option<(Format, Bytes)> {
        let kept = self.kept();
        let answer = kept.get(call).filter(|answer| answer.at.elapsed() < self.time)?;
        Some((answer.format.clone(), answer.body.clone()))
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LastGood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastGood").field("time", &self.time).field("kept", &self.kept().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_for_a_while_and_never_more_than_so_many() {
        let last_good = LastGood::new(Duration::from_secs(60));
        let body = Bytes::from_static(b"answer");
        for number in 0..3 * MOST_KEPT {
            last_good.keep(&number.to_le_bytes(), &Format::Json, &body);
            assert!(last_good.get(&number.to_le_bytes()).is_some(), "the newest is there");
            assert!(last_good.kept().len() <= MOST_KEPT);
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(last_good.get(&(3 * MOST_KEPT - 1).to_le_bytes()).is_none(), "its time is over");
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_leaves_no_older_one() {
        let last_good = LastGood::new(Duration::from_secs(60));
        last_good.keep(b"call", &Format::Json, &Bytes::from_static(b"old"));
        last_good.keep(b"call", &Format::Json, &vec![b' '; MOST_BYTES + 1].into());
        assert!(last_good.get(b"call").is_none());
    }
}
