//! The bytes of one connection, as its [`Activity`] sees them.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, watch},
};

use super::{Stage, activity::Activity};

/// A connection. It holds its place among those that are allowed until it is dropped, a WebSocket's by whoever took it over.
pub(super) struct Io<S> {
    stream: S,
    activity: Arc<Activity>,
    stage: watch::Receiver<Stage>,
    /// Ends with the server; for what is no HTTP any more, which the server has lost sight of.
    closed: Option<BoxFuture<'static, ()>>,
    _permit: OwnedSemaphorePermit,
}

impl<S> Io<S> {
    pub(super) fn new(
        stream: S,
        activity: Arc<Activity>,
        stage: watch::Receiver<Stage>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { stream, activity, stage, closed: None, _permit: permit }
    }

    fn is_closed(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.activity.is_upgraded() {
            return false;
        }
        let mut stage = self.stage.clone();
        let closed = self.closed.get_or_insert_with(|| {
            async move {
                let _ = stage.wait_for(|stage| *stage == Stage::Closed).await;
            }
            .boxed()
        });
        closed.poll_unpin(cx).is_ready()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Io<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match &read {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => self.activity.read(),
            Poll::Pending if self.is_closed(cx) => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            _ => {}
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> Io<S> {
    fn write(
        mut self: Pin<&mut Self>,
        write: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let wrote = write(Pin::new(&mut self.stream));
        match wrote {
            Poll::Ready(_) => self.activity.wrote(),
            Poll::Pending => self.activity.stalled(true),
        }
        wrote
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Io<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // No progress by itself: hyper flushes whenever it is woken.
        self.activity.stalled(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> fmt::Debug for Io<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("activity", &self.activity).finish_non_exhaustive()
    }
}
