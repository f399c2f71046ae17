//! What stands between the socket and lapin: frames are made readable before lapin reads them.
//!
//! lapin parses header tables by recursion without a limit, and so does what drops them: a few thousand lists one in the other
//! end the process. And it gives a connection up at the first name that is no UTF-8, which the broker then delivers again, to the
//! next connection, for ever. Anybody who may publish to a queue can send either. See [`repair`] for what is changed.

mod frames;
#[cfg(feature = "__fuzz")]
pub mod fuzz;
mod repair;

use std::{
    fmt,
    io::{self, Read, Write},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use async_rs::{Runtime, Tokio, traits::Reactor, util::RuntimeParts};
use futures_util::{
    Stream,
    io::{AsyncRead, AsyncWrite},
};
use lapin::AsyncTcpStream;

use self::frames::Frames;

/// The stream of a connection before it is guarded: plain, or with TLS already over it.
type Unguarded = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// lapin's runtime, with guarded streams.
pub(super) type GuardedRuntime = Runtime<RuntimeParts<Tokio, GuardedReactor>>;

/// The present tokio runtime, for lapin.
pub(super) fn runtime() -> GuardedRuntime {
    Runtime::new(RuntimeParts::new(Tokio::current(), GuardedReactor(Tokio::current())))
}

/// Guards a stream, and counts what comes through it.
pub(super) fn guarded(stream: Unguarded) -> (AsyncTcpStream<Guarded>, Heard) {
    let guarded = Guarded::new(stream);
    let heard = guarded.heard.clone();
    (AsyncTcpStream::Plain(guarded), heard)
}

/// How much a peer has sent so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicU64>);

impl Heard {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream whose incoming frames lapin can read.
pub(super) struct Guarded {
    stream: Unguarded,
    frames: Frames,
    heard: Heard,
}

impl Guarded {
    fn new(stream: Unguarded) -> Self {
        Self { stream, frames: Frames::default(), heard: Heard::default() }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            let given = this.frames.give(buffer);
            if given > 0 || buffer.is_empty() {
                return Poll::Ready(Ok(given));
            }
            // A body goes straight through.
            let straight = this.frames.straight().min(buffer.len());
            if straight > 0 {
                let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer[..straight]))?;
                this.heard.0.fetch_add(read as u64, Ordering::Relaxed);
                this.frames.went_straight(read);
                return Poll::Ready(Ok(read));
            }
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, this.frames.room()))?;
            if read == 0 {
                return Poll::Ready(Ok(0));
            }
            this.heard.0.fetch_add(read as u64, Ordering::Relaxed);
            this.frames.took(read);
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded")
    }
}

/// tokio's timers, with guarded streams.
#[derive(Debug, Clone)]
pub(super) struct GuardedReactor(Tokio);

impl Reactor for GuardedReactor {
    type TcpStream = Guarded;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// lapin never does this: its connections are made by [`Wire`](super::connection::Wire).
    #[allow(refining_impl_trait, reason = "there is no other type to name")]
    fn register<H: Read + Write + Send + 'static>(&self, _: H) -> io::Result<Guarded> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(&self, address: SocketAddr) -> impl Future<Output = io::Result<Guarded>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(Guarded::new(AsyncTcpStream::Plain(connecting.await?))) }
    }
}
