//! A request as the worker that it fires sees it.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use axum::{body::Body, http::request::Parts};

use crate::service::WorkerCall;

/// What came, beside the body that was read: that is the worker's message.
pub(crate) struct Request {
    pub(crate) parts: Parts,
    /// The path's parameters, decoded.
    pub(crate) path: Vec<(&'static str, String)>,
    /// The body, where the method takes the request apart itself.
    body: Mutex<Option<Body>>,
}

impl Request {
    pub(crate) fn new(parts: Parts, path: Vec<(&'static str, String)>, body: Option<Body>) -> Self {
        Self { parts, path, body: Mutex::new(body) }
    }

    /// The body that nobody has read yet; empty the second time.
    pub(crate) fn take_body(&self) -> Body {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

/// The request that fired a worker.
pub(super) fn request(call: &WorkerCall) -> Option<&Request> {
    call.request.as_deref()?.downcast_ref()
}

impl fmt::Debug for Request {
    /// Neither headers nor query: both may hold what no log may have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.parts.method)
            .field("path", &self.parts.uri.path())
            .finish_non_exhaustive()
    }
}
