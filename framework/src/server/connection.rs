//! One connection, from its handshake to its end.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, watch},
    time::timeout,
};

use super::{
    Answer, Protocol, Stage,
    activity::{Activity, Overdue, Running, Watchdog},
    io::Io,
    settings::ConnectionLimits,
    tls::Tls,
};
use crate::task::Tasks;

/// What every connection of a server has.
pub(super) struct Shared<A> {
    answer: A,
    protocol: auto::Builder<Streams>,
    is_http2_only: bool,
    limits: ConnectionLimits,
    tls: Option<Tls>,
}

/// Runs the requests of one HTTP/2 connection beside each other.
#[derive(Debug, Clone)]
struct Streams(Tasks);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.spawn(stream);
    }
}

impl<A: Answer> Shared<A> {
    pub(super) fn new(
        answer: A,
        Protocol { is_http2_only, max_streams, keep_alive }: Protocol,
        limits: ConnectionLimits,
        tls: Option<Tls>,
        tasks: &Tasks,
    ) -> Self {
        let mut protocol = auto::Builder::new(Streams(tasks.clone()));
        if is_http2_only {
            protocol = protocol.http2_only();
        }
        // The limits on time are the watchdog's.
        protocol.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.max_header_bytes);
        let most = u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX);
        protocol.http2().timer(TokioTimer::new()).max_header_list_size(most);
        if let Some(max_streams) = max_streams {
            protocol.http2().max_concurrent_streams(max_streams);
        }
        if let Some((interval, timeout)) = keep_alive {
            protocol.http2().keep_alive_interval(interval).keep_alive_timeout(timeout);
        }
        Self { answer, protocol, is_http2_only, limits, tls }
    }

    /// Serves a connection until one of both sides ends it.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        stage: watch::Receiver<Stage>,
        permit: OwnedSemaphorePermit,
    ) {
        // An answer is small and complete: to wait for more of it would only delay it.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.speak(stream, peer, stage, permit).await };
        let mut closing = stage.clone();
        let shaken = tokio::select! {
            shaken = timeout(self.limits.header_timeout, tls.accept(stream)) => shaken,
            _ = closing.wait_for(|stage| *stage != Stage::Open) => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.speak(stream, peer, stage, permit).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "the TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "the TLS handshake took longer than a head may"),
        }
    }

    pub(super) async fn speak<S>(
        &self,
        stream: S,
        peer: SocketAddr,
        mut stage: watch::Receiver<Stage>,
        permit: OwnedSemaphorePermit,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new(self.limits, self.is_http2_only);
        let io = TokioIo::new(Io::new(stream, activity.clone(), stage.clone(), permit));
        let requests = hyper::service::service_fn(|request| self.answer(request, peer, &activity));
        let mut connection = std::pin::pin!(self.protocol.serve_connection_with_upgrades(io, requests));
        let mut watchdog = Watchdog::new(activity.clone());
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, error, "a connection ended");
                    }
                    return;
                }
                changed = stage.changed() => {
                    let now = *stage.borrow_and_update();
                    if changed.is_err() || now == Stage::Closed {
                        return;
                    }
                    activity.close();
                    connection.as_mut().graceful_shutdown();
                }
                overdue = &mut watchdog => match overdue {
                    Overdue::Idle => {
                        activity.close();
                        connection.as_mut().graceful_shutdown();
                    }
                    Overdue::Stuck => {
                        tracing::debug!(%peer, "a connection was dropped: its other side is too slow");
                        return;
                    }
                },
            }
        }
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        activity: &Arc<Activity>,
    ) -> impl Future<Output = Result<Response<Sending<A::Body>>, Infallible>> + Send + use<A> {
        let running = activity.request(request.version() == Version::HTTP_2);
        self.answer.answer(request, peer).map(move |response| {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                running.activity().upgraded();
            }
            Ok(response.map(|body| Sending { body, _running: running }))
        })
    }
}

/// The body of an answer; its request runs until it has left.
struct Sending<B> {
    body: B,
    _running: Running,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Sending<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
