use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use super::{
    Channel,
    failure::{Failure, Origin, is_cut_by_deadline},
    pool::Picked,
};
use crate::{
    client::CallError,
    observe::{CallWatch, Ended},
    protocol::{Name, ServiceError},
    resilience::{Classify, Pass},
};

/// The responses of a call, one after the other.
///
/// It ends with `None` where the service has sent all of them, and with an error where that did not come to its end. After an error there is
/// nothing more. Dropping it withdraws the call: the service's own stream is dropped.
///
/// # Cancel safety
///
/// Waiting for the next message can be dropped, and loses none.
pub struct Responses<O, E> {
    open: Option<Open<O>>,
    error: PhantomData<fn() -> E>,
}

struct Open<O> {
    inner: tonic::Streaming<O>,
    channel: Channel,
    method: &'static str,
    watch: CallWatch,
    pass: Option<Pass>,
    limit: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Its instance is busy with it.
    _picked: Picked,
}

impl<O, E> Responses<O, E> {
    pub(super) fn new(
        inner: tonic::Streaming<O>,
        (channel, method): (Channel, &'static str),
        (picked, watch, pass): (Picked, CallWatch, Option<Pass>),
        limit: Option<(Duration, Instant)>,
    ) -> Self {
        let limit = limit.map(|(time, until)| (time, Box::pin(sleep_until(until))));
        Self { open: Some(Open { inner, channel, method, watch, pass, limit, _picked: picked }), error: PhantomData }
    }
}

impl<O> Open<O> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<O, Failure>>> {
        if let Poll::Ready(next) = self.inner.poll_next_unpin(cx) {
            let until = self.limit.as_ref().map(|(_, sleep)| sleep.deadline());
            let failed = |status: Status| match until.is_some_and(|until| is_cut_by_deadline(&status, until)) {
                true => Failure::Late { sent: true },
                false => Failure::Status(Box::new(status)),
            };
            return Poll::Ready(next.map(|next| next.map_err(failed)));
        }
        let Some((_, sleep)) = &mut self.limit else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Some(Err(Failure::Late { sent: true })))
    }
}

impl<O, E: ServiceError> Stream for Responses<O, E> {
    type Item = Result<O, CallError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(open) = &mut self.open else { return Poll::Ready(None) };
        let next = ready!(open.poll(cx));
        if let Some(Ok(message)) = next {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(Open { channel, method, mut watch, pass, limit, .. }) = self.open.take() else {
            return Poll::Ready(None);
        };
        let error = next.and_then(Result::err).map(|failure| {
            let timeout = limit.map(|(time, _)| time).unwrap_or_default();
            Origin { service: channel.service(), method, timeout }.fail::<E>(failure)
        });
        let ended = error.as_ref().map_or(Ended::Ok, CallError::ended);
        watch.end(ended, &channel.service_name(), &Name::from_static(method));
        if let Some(pass) = pass {
            pass.end(error.as_ref().map(|error| error.judgement(error.classify())));
        }
        Poll::Ready(error.map(Err))
    }
}

impl<O, E> Unpin for Responses<O, E> {}

impl<O, E> fmt::Debug for Responses<O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.open.as_ref().map(|open| open.method);
        f.debug_struct("Responses").field("method", &method).finish_non_exhaustive()
    }
}
