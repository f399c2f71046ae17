use std::{
    fmt,
    future::{Future, ready},
    sync::Arc,
};

use axum::extract::ws::{Utf8Bytes, close_code};
use serde::Serialize;

use super::{
    frame,
    outbox::{Closing, Gone, Outbox},
};
use crate::{Error, ErrorKind, FromWorker, Result, WorkerContext, protocol::Fault};

tokio::task_local! {
    static CURRENT: Socket;
}

/// The websocket whose message fired a worker: `#[inject] socket: Socket`. Cheap to clone.
///
/// Where something else fired the method, a request or an RPC, there is none, and the call ends with an internal error. A method that
/// both may fire takes `#[inject] socket: Option<Socket>`.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: String,
    outbox: Outbox,
}

impl Socket {
    pub(super) fn new(id: String, outbox: Outbox) -> Self {
        Self(Arc::new(Inner { id, outbox }))
    }

    /// Its id, which the client got with the event `connected`: a UUID. Anybody who knows it and calls the service may have events sent to it.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Sends it an event: `{"type": "event", "event": …, "data": …}`. Returns at once; events arrive in the order in which they were sent.
    ///
    /// At most once: `Ok` means that the event waits to be written, and a connection that is lost meanwhile takes it along.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] where it is closed or does not keep up, [`ErrorKind::Codec`] for data that has no form in JSON.
    pub fn send<T: Serialize + ?Sized>(&self, event: &str, data: &T) -> Result<()> {
        let text = frame::event(event, data)?;
        self.event(text).map_err(|Gone| Error::new(ErrorKind::Closed, format!("the socket {} is closed", self.id())))
    }

    /// Closes it, with code 1000, when its running calls are answered; it reads no more from now on.
    pub fn close(&self) {
        self.0.outbox.finish(Closing::new(close_code::NORMAL, "closed by the service"));
    }

    pub(super) fn event(&self, text: Utf8Bytes) -> Result<(), Gone> {
        self.0.outbox.event(text)
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Runs a worker that a message of this socket fired.
    pub(super) fn scope<F: Future>(self, worker: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, worker)
    }
}

impl<S: Sync> FromWorker<S> for Socket {
    fn from_worker(_: &S, _: &WorkerContext) -> impl Future<Output = Result<Self, Fault>> + Send {
        ready(CURRENT.try_with(Self::clone).map_err(|_| {
            Fault::internal("NoSocket", "a `Socket` is injected only where the message of a websocket fired the method")
        }))
    }
}

impl<S: Sync> FromWorker<S> for Option<Socket> {
    fn from_worker(_: &S, _: &WorkerContext) -> impl Future<Output = Result<Self, Fault>> + Send {
        ready(Ok(CURRENT.try_with(Socket::clone).ok()))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.0.id).finish()
    }
}
