//! Websockets to services under test, with no socket of the system.

use std::{collections::VecDeque, convert::Infallible, fmt, future::IntoFuture};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Request},
};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt, future::BoxFuture};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::json;
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::CloseFrame},
};

use crate::{
    Error, ErrorKind, Result,
    http::{Routers, axum},
    protocol::Value,
    task::Tasks,
};

/// What one end may send before the other has read.
const BUFFER: usize = 64 * 1024;

/// A websocket that is not connected yet. Await it.
#[must_use = "a websocket does nothing until it is awaited"]
pub struct WebSocketCall {
    routers: Routers,
    path: String,
    headers: Vec<(String, String)>,
}

impl WebSocketCall {
    pub(super) fn new(routers: Routers, path: &str) -> Self {
        Self { routers, path: path.to_owned(), headers: Vec::new() }
    }

    /// Adds a header to the request that opens it. What is no header shows when it connects.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Brings this token: `Authorization: Bearer …`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    async fn connect(self) -> Result<WebSocketClient> {
        let url = format!("ws://localhost{}", self.path);
        let usage = |error: String| Error::new(ErrorKind::Usage, error);
        let mut request =
            url.into_client_request().map_err(|error| usage(format!("`{}` is no path: {error}", self.path)))?;
        for (name, value) in &self.headers {
            match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                (Ok(name), Ok(value)) => drop(request.headers_mut().append(name, value)),
                _ => return Err(usage(format!("`{name}: {value}` is no header"))),
            }
        }
        let (near, far) = duplex(BUFFER);
        let routers = self.routers;
        let service = service_fn(move |request: Request<Incoming>| {
            routers.answer(request.map(Body::new), None).map(Ok::<_, Infallible>)
        });
        Tasks::new().spawn_detached(async move {
            let server = hyper::server::conn::http1::Builder::new();
            // How it ends is seen from the other end.
            server.serve_connection(TokioIo::new(far), service).with_upgrades().await.ok();
        });
        let (stream, _) = client_async(request, near).await.map_err(|error| match error {
            tungstenite::Error::Http(answer) => usage(format!("the websocket was refused with {}", answer.status())),
            other => lost(&other),
        })?;
        let mut client = WebSocketClient { stream, id: String::new(), waiting: VecDeque::new(), calls: 0 };
        let connected = client.receive().await?;
        connected["data"]["socket_id"].as_str().unwrap_or_default().clone_into(&mut client.id);
        Ok(client)
    }
}

impl IntoFuture for WebSocketCall {
    type Output = Result<WebSocketClient>;
    type IntoFuture = BoxFuture<'static, Result<WebSocketClient>>;

    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for what is no path or no header, and with the status of an answer that refuses it.
    fn into_future(self) -> Self::IntoFuture {
        self.connect().boxed()
    }
}

impl fmt::Debug for WebSocketCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketCall").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A websocket to services under test, through the same router as a real one. Dropped, it is a client that went away.
///
/// ```
/// # use kinoko::{http::Socket, prelude::*, testing::TestApp};
/// # use serde_json::json;
/// # #[derive(Dependencies)] struct Adder;
/// # #[service(name = "adder")] impl Adder {
/// #     #[websocket] fn add(&self, #[inject] socket: Socket, a: u32, b: u32) -> kinoko::Result<u32> {
/// #         socket.send("added", &json!([a, b]))?;
/// #         Ok(a + b)
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// # let app = TestApp::new().service::<Adder>().start().await?;
/// let mut socket = app.websocket("/ws").await?;
/// let answer = socket.call("add", &json!({"a": 1, "b": 2})).await?;
/// assert_eq!((&answer["success"], &answer["data"]), (&json!(true), &json!(3)));
/// assert_eq!(socket.next().await?, json!({"type": "event", "event": "added", "data": [1, 2]}));
/// # drop(socket); app.stop().await }
/// ```
pub struct WebSocketClient {
    stream: WebSocketStream<DuplexStream>,
    id: String,
    /// What came while another message was waited for.
    waiting: VecDeque<Value>,
    calls: u64,
}

/// How the other end closed a websocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketClose {
    /// The code; 1005 where none was told.
    pub code: u16,
    /// The reason.
    pub reason: String,
}

impl WebSocketClient {
    /// Its id, as the event `connected` told it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Calls a method, and waits for the answer: the whole message, `{"type": "result", "success": …}`. What comes meanwhile waits for [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// Where it is closed. An answer of failure is none.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the answer comes by [`next`](Self::next).
    pub async fn call<T: Serialize + ?Sized>(&mut self, method: &str, data: &T) -> Result<Value> {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        self.send(&json!({"type": "rpc", "method": method, "data": data, "correlation_id": id})).await?;
        loop {
            let message = self.receive().await?;
            if message["type"] == "result" && message["correlation_id"] == *id {
                return Ok(message);
            }
            self.waiting.push_back(message);
        }
    }

    /// Sends a message as JSON.
    ///
    /// # Errors
    ///
    /// Where it is closed, and for what has no form in JSON.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the message is sent or not.
    pub async fn send<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<()> {
        self.send_text(serde_json::to_string(message)?).await
    }

    /// Sends a text, whatever it is.
    ///
    /// # Errors
    ///
    /// Where it is closed.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<()> {
        self.stream.send(Message::text(text.into())).await.map_err(|error| lost(&error))
    }

    /// Sends bytes, as a binary message.
    ///
    /// # Errors
    ///
    /// Where it is closed.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_bytes(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        self.stream.send(Message::binary(bytes)).await.map_err(|error| lost(&error))
    }

    /// The next message, whatever it is.
    ///
    /// # Errors
    ///
    /// Where it is closed, with the reason.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing is lost.
    pub async fn next(&mut self) -> Result<Value> {
        match self.waiting.pop_front() {
            Some(message) => Ok(message),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Result<Value> {
        match self.read().await? {
            Ok(message) => Ok(message),
            Err(WebSocketClose { code, reason }) => {
                Err(Error::new(ErrorKind::Closed, format!("the websocket is closed: {code} {reason}")))
            }
        }
    }

    /// Reads up to the close of the other end, and says how that was. Messages before it are dropped.
    ///
    /// # Errors
    ///
    /// Where it is lost without a close.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, what was read is gone.
    pub async fn closed(&mut self) -> Result<WebSocketClose> {
        loop {
            if let Err(close) = self.read().await? {
                return Ok(close);
            }
        }
    }

    async fn read(&mut self) -> Result<Result<Value, WebSocketClose>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Ok(serde_json::from_str(&text)?)),
                Some(Ok(Message::Close(frame))) => {
                    let close = frame.map(|CloseFrame { code, reason }| WebSocketClose {
                        code: code.into(),
                        reason: reason.to_string(),
                    });
                    return Ok(Err(close.unwrap_or(WebSocketClose { code: 1005, reason: String::new() })));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(&error)),
                None => return Err(Error::new(ErrorKind::Closed, "the websocket is closed")),
            }
        }
    }

    /// Closes it, and waits until the other end has as well.
    ///
    /// # Errors
    ///
    /// Where it is lost without a close.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it is a client that went away.
    pub async fn close(mut self) -> Result<()> {
        self.stream.close(None).await.map_err(|error| lost(&error))?;
        while let Some(Ok(_)) = self.stream.next().await {}
        Ok(())
    }
}

impl fmt::Debug for WebSocketClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketClient").field("id", &self.id).finish_non_exhaustive()
    }
}

fn lost(error: &tungstenite::Error) -> Error {
    Error::new(ErrorKind::Closed, format!("the websocket is lost: {error}"))
}
