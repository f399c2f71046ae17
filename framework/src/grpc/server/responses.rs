//! The messages that a method streams. Its worker lasts until the last of them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture, stream::BoxStream};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use super::serve::Call;
use crate::{
    context::Cancelled,
    entrypoint::request::Held,
    observe::Watch,
    protocol::Fault,
    service::{FaultKind, Outcome},
};

/// How long a stream may have nothing to send once its service stops. One that waits for news would wait through the whole grace period.
const IDLE_AT_STOP: Duration = Duration::from_secs(1);

/// What a method streams; an outcome in the place of an item is the last.
pub(in crate::grpc) type Items<O> = BoxStream<'static, Result<O, Outcome>>;

/// The responses of one call.
pub(super) struct Responses<O>(Option<Open<O>>);

struct Open<O> {
    items: Items<O>,
    call: Arc<Call>,
    watch: Watch,
    stop: Stop,
    /// A stop waits for it.
    _held: Option<Held>,
}

/// Whether the service stops.
enum Stop {
    NotYet(BoxFuture<'static, ()>),
    /// It does: ends when nothing was sent for a while.
    Begun(Pin<Box<Sleep>>),
}

impl<O> Responses<O> {
    pub(super) fn new(items: Items<O>, call: Arc<Call>, watch: Watch, held: Option<Held>) -> Self {
        // What it waits for, nobody works on: others may have its place among the workers.
        if let Some(slot) = call.context.slot() {
            slot.release();
        }
        let stop = Stop::NotYet(call.served.runner.stopped().boxed());
        Self(Some(Open { items, call, watch, stop, _held: held }))
    }

    /// Ends, with this.
    fn end(&mut self, outcome: &Outcome) {
        let Some(Open { items, call, watch, .. }) = self.0.take() else { return };
        // What a stream holds is dropped as part of its worker. A panic there has been told by its hook.
        let _ = catch_unwind(AssertUnwindSafe(|| call.context.within(|| drop(items))));
        watch.end(&call.context, outcome);
    }

    fn fail(&mut self, outcome: Outcome) -> Option<Result<O, Status>> {
        let status = self.0.as_ref().map(|open| open.call.status(&outcome));
        self.end(&outcome);
        status.map(Err)
    }
}

impl<O> Open<O> {
    /// The next item; `Err`: there will be none.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<O>, Outcome>> {
        let context = &self.call.context;
        let items = &mut self.items;
        let next = catch_unwind(AssertUnwindSafe(|| {
            context.within(|| std::pin::pin!(context.until_cancelled(items.next())).poll(cx))
        }));
        match next {
            Ok(Poll::Ready(Ok(Some(Ok(item))))) => {
                if let Stop::Begun(sleep) = &mut self.stop {
                    sleep.as_mut().reset(Instant::now() + IDLE_AT_STOP);
                }
                Poll::Ready(Ok(Some(item)))
            }
            Ok(Poll::Ready(Ok(None))) => Poll::Ready(Ok(None)),
            Ok(Poll::Ready(Ok(Some(Err(outcome))))) => Poll::Ready(Err(outcome)),
            // Where it is the method's own limit, whoever called shall know: it is told as the fault that it is.
            Ok(Poll::Ready(Err(reason))) => Poll::Ready(Err(self.call.cancelled(&self.watch, reason))),
            Ok(Poll::Pending) => self.poll_stop(cx).map(|()| Err(Outcome::Cancelled(Cancelled::Stopping))),
            Err(panic) => {
                let fault = Box::new(Fault::panic(&*panic));
                Poll::Ready(Err(Outcome::Fault { fault, kind: FaultKind::Unexpected }))
            }
        }
    }

    fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Stop::NotYet(stopped) = &mut self.stop {
            std::task::ready!(stopped.poll_unpin(cx));
            self.stop = Stop::Begun(Box::pin(sleep(IDLE_AT_STOP)));
        }
        match &mut self.stop {
            Stop::Begun(sleep) => sleep.as_mut().poll(cx),
            Stop::NotYet(_) => Poll::Pending,
        }
    }
}

impl<O> Stream for Responses<O> {
    type Item = Result<O, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(open) = &mut self.0 else { return Poll::Ready(None) };
        Poll::Ready(match std::task::ready!(open.poll(cx)) {
            Ok(Some(item)) => Some(Ok(item)),
            Ok(None) => {
                self.end(&Outcome::Done);
                None
            }
            Err(outcome) => self.fail(outcome),
        })
    }
}

impl<O> Drop for Responses<O> {
    fn drop(&mut self) {
        self.end(&Outcome::Cancelled(Cancelled::ConnectionLost));
    }
}

impl<O> Unpin for Responses<O> {}
