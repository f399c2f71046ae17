//! One socket, from its upgrade to its end.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use axum::extract::ws::{CloseCode, CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{FuturesUnordered, SplitSink, SplitStream},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::tungstenite::{self, error::CapacityError};

use super::{
    endpoint::SocketEndpoint,
    frame,
    outbox::{Closing, Next, Outbox},
    sockets::Connected,
};
use crate::protocol::Headers;

/// How long it may take to write what waits, up to the close frame.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// How long the peer may take to answer a close. It knows of it already: nothing is lost if it does not.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// A socket that is connected.
pub(super) struct Connection {
    pub(super) endpoint: Arc<SocketEndpoint>,
    /// What each worker's context has from the upgrade: language, trace, token.
    pub(super) headers: Headers,
    pub(super) connected: Connected,
}

/// Why nothing more is read.
enum End {
    /// The peer has closed, or is lost.
    Gone,
    /// The peer does not keep to what was agreed.
    Broken(Closing),
    /// It is closed from here.
    Ours,
}

impl Connection {
    /// Reads messages, answers them, writes events, until either side has enough.
    pub(super) async fn run(self, socket: WebSocket) {
        let Self { endpoint, headers, connected } = self;
        let (mut sink, mut stream) = socket.split();
        let socket = (*connected).clone();
        tracing::debug!(service = endpoint.service(), socket = socket.id(), "websocket connected");
        let outbox = socket.outbox();
        // Nothing else can be before it.
        outbox.event(frame::connected(socket.id())).ok();
        let mut writing = pin!(write(&mut sink, outbox, &endpoint));
        let end = {
            let reading = Reading { endpoint: &endpoint, headers: &headers, connected: &connected };
            tokio::select! {
                end = reading.run(&mut stream) => end,
                () = &mut writing => End::Gone,
                () = outbox.closing() => End::Ours,
            }
            // Here what still runs is dropped: its worker is cancelled, and its hooks run.
        };
        drop(connected);
        let flushed = match end {
            End::Gone => {
                // The peer's close frame is answered by reading on.
                outbox.gone();
                true
            }
            End::Broken(closing) => {
                tracing::warn!(service = endpoint.service(), socket = socket.id(), reason = %closing.reason, "closing a websocket");
                outbox.close(closing);
                false
            }
            End::Ours => false,
        };
        // Who does not answer is left.
        if flushed || timeout(CLOSE_LIMIT, writing).await.is_ok() {
            let farewell = async { while let Some(Ok(_)) = stream.next().await {} };
            timeout(FAREWELL_LIMIT, farewell).await.ok();
        }
        outbox.gone();
        tracing::debug!(service = endpoint.service(), socket = socket.id(), "websocket closed");
    }
}

struct Reading<'a> {
    endpoint: &'a Arc<SocketEndpoint>,
    headers: &'a Headers,
    connected: &'a Connected,
}

impl Reading<'_> {
    async fn run(&self, stream: &mut SplitStream<WebSocket>) -> End {
        let settings = self.endpoint.settings();
        let outbox = self.connected.outbox();
        let room = Arc::new(Semaphore::new(settings.max_in_flight));
        let mut calls = FuturesUnordered::new();
        let mut permit: Option<OwnedSemaphorePermit> = None;
        let silence = settings.ping_interval.saturating_add(settings.ping_timeout);
        let mut heard = Instant::now();
        loop {
            let finishing = !outbox.is_open();
            if finishing && calls.is_empty() {
                outbox.finished();
                return End::Ours;
            }
            let frame = tokio::select! {
                Some((answer, permit)) = calls.next() => {
                    outbox.answer(answer, permit);
                    continue;
                }
                free = room.clone().acquire_owned(), if permit.is_none() && !finishing => {
                    permit = free.ok();
                    // Nobody listened meanwhile.
                    heard = Instant::now();
                    continue;
                }
                frame = next(stream, heard, silence), if permit.is_some() && !finishing => frame,
                () = outbox.ending(), if !finishing => continue,
            };
            heard = Instant::now();
            let message = match frame {
                Ok(Message::Text(text)) => Bytes::from(text),
                Ok(Message::Binary(bytes)) => bytes,
                Ok(Message::Ping(_) | Message::Pong(_)) => continue,
                Ok(Message::Close(_)) => return End::Gone,
                Err(end) => return end,
            };
            if let Some(permit) = permit.take() {
                calls.push(self.call(message, permit));
            }
        }
    }

    async fn call(&self, message: Bytes, permit: OwnedSemaphorePermit) -> (Utf8Bytes, OwnedSemaphorePermit) {
        let answer = self.endpoint.answer((**self.connected).clone(), self.headers.clone(), &message).await;
        (answer, permit)
    }
}

/// The next message. Of a peer that is there, a pong comes at least.
async fn next(stream: &mut SplitStream<WebSocket>, heard: Instant, silence: Duration) -> Result<Message, End> {
    // A limit beyond the end of time is none.
    let next = match heard.checked_add(silence) {
        Some(due) => timeout_at(due, stream.next()).await,
        None => Ok(stream.next().await),
    };
    match next {
        Ok(Some(Ok(message))) => Ok(message),
        Ok(Some(Err(error))) => Err(broken(error)),
        Ok(None) => Err(End::Gone),
        Err(_) => Err(End::Broken(Closing::new(close_code::POLICY, "answers no ping"))),
    }
}

fn broken(error: axum::Error) -> End {
    let (code, reason): (CloseCode, _) = match error.into_inner().downcast_ref() {
        Some(tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. })) => {
            (close_code::SIZE, "the message is too large (http.websocket.max_message_bytes)")
        }
        Some(tungstenite::Error::Utf8(_)) => (close_code::INVALID, "the text is not UTF-8"),
        Some(tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
            return End::Gone;
        }
        Some(tungstenite::Error::Protocol(_)) => (close_code::PROTOCOL, "not as RFC 6455 has it"),
        _ => return End::Gone,
    };
    End::Broken(Closing::new(code, reason))
}

/// Writes what waits, and pings, up to the close frame. Ends when that is written, or when nothing can be.
async fn write(sink: &mut SplitSink<WebSocket, Message>, outbox: &Outbox, endpoint: &SocketEndpoint) {
    let settings = endpoint.settings();
    let mut ping = Instant::now().checked_add(settings.ping_interval);
    loop {
        let due = async {
            match ping {
                Some(due) => tokio::time::sleep_until(due).await,
                None => pending().await,
            }
        };
        let (message, permit, last) = tokio::select! {
            next = outbox.next() => match next {
                Next::Text(waiting) => (Message::Text(waiting.text), waiting.permit, false),
                Next::Close(Closing { code, reason }) => {
                    (Message::Close(Some(CloseFrame { code, reason })), None, true)
                }
            },
            () = due => {
                ping = Instant::now().checked_add(settings.ping_interval);
                (Message::Ping(Bytes::new()), None, false)
            }
        };
        let written = timeout(settings.ping_timeout, sink.send(message)).await;
        drop(permit);
        if last || !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}
