//! The body of a request that is one message: whoever sends it slowly keeps a call open, and is told to stop.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};
use tonic::Status;

/// A body whose next piece comes in time, or not at all.
pub(super) struct Timely {
    body: Incoming,
    /// How long a piece may take; `None`: it is a stream, which rests as long as it likes.
    limit: Option<Duration>,
    /// Most bodies are there before anybody looks.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timely {
    pub(super) fn new(body: Incoming, limit: Option<Duration>) -> Self {
        Self { body, limit, sleep: None }
    }
}

impl Body for Timely {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.sleep = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| Status::from_error(Box::new(error)))));
        }
        let Some(limit) = self.limit else { return Poll::Pending };
        ready!(self.sleep.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
        let text = format!("the message did not arrive within {limit:?} (grpc.body_timeout)");
        Poll::Ready(Some(Err(Status::deadline_exceeded(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
