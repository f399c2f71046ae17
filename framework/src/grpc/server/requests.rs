//! The messages that a caller streams.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt};
use tonic::{Code, Status};

use crate::{Error, ErrorKind};

/// What broke a stream of requests. The worker's answer is this, whatever its method made of it.
pub(super) type Broken = Arc<OnceLock<Status>>;

/// A stream of messages, one after the other: a method takes one where its caller streams, a client gets one where the method does.
///
/// It ends with `None` where the other side has sent all of them, and with an error where that did not come to its end: the other side went
/// away, sent what cannot be read, or more than is allowed. After an error there is nothing more.
///
/// # Cancel safety
///
/// Waiting for the next message can be dropped, and loses none.
///
/// # Examples
///
/// ```
/// use kinoko::grpc::Streaming;
/// use futures_util::StreamExt;
///
/// async fn total(mut amounts: Streaming<u32>) -> kinoko::Result<u32> {
///     let mut total = 0;
///     while let Some(amount) = amounts.next().await {
///         total += amount?;
///     }
///     Ok(total)
/// }
/// ```
pub struct Streaming<T> {
    inner: Option<tonic::Streaming<T>>,
    broken: Broken,
}

impl<T> Streaming<T> {
    pub(super) fn new(inner: tonic::Streaming<T>, broken: Broken) -> Self {
        Self { inner: Some(inner), broken }
    }
}

impl<T> Stream for Streaming<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let next = std::task::ready!(inner.poll_next_unpin(cx));
        match next {
            Some(Ok(message)) => Poll::Ready(Some(Ok(message))),
            None => {
                self.inner = None;
                Poll::Ready(None)
            }
            Some(Err(status)) => {
                self.inner = None;
                let error = error(&status);
                // It is told once.
                let _ = self.broken.set(told(status));
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

impl<T> std::fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streaming").field("is_open", &self.inner.is_some()).finish_non_exhaustive()
    }
}

/// What keeps a message from being read, to its caller: that it is larger than we take, tonic tells by another code than everybody else.
fn told(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange => Status::resource_exhausted(status.message()),
        _ => status,
    }
}

fn error(status: &Status) -> Error {
    let kind = match status.code() {
        Code::Cancelled | Code::Unavailable | Code::Unknown => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("the caller's stream broke: {}", status.message()))
}
