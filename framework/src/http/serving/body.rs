//! The limits of requests whose body somebody else reads: handlers of mounted routers, and methods that extract it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::DefaultBodyLimit,
    http::{HeaderMap, Request, StatusCode, header, request::Parts},
    middleware::{Next, from_fn},
    response::Response,
};
use bytes::Bytes;
use futures_util::FutureExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep, timeout};

use crate::{
    http::{entrypoint::RouteDefaults, problem},
    protocol::Fault,
};

/// Holds every request of a router to the limits that the routes of services have.
pub(in crate::http) fn bounded(router: Router, limits: RouteDefaults) -> Router {
    router.layer(from_fn(move |request, next| bound(limits, request, next)))
}

async fn bound(limits: RouteDefaults, request: Request<Body>, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (body, watch) = match watched(&mut parts, body, limits) {
        Ok(watched) => watched,
        Err(fault) => return problem::response(&fault, ""),
    };
    let answer = std::panic::AssertUnwindSafe(next.run(Request::from_parts(parts, body))).catch_unwind();
    let fault = match timeout(limits.timeout, answer).await {
        Ok(Ok(response)) => match watch.fault() {
            None => return response,
            Some(fault) => fault,
        },
        // The panic hook has said where.
        Ok(Err(_)) => problem::plain(StatusCode::INTERNAL_SERVER_ERROR, "the handler panicked"),
        Err(_) => {
            let text = format!("it took longer than the {:?} that it may (http.timeout)", limits.timeout);
            Fault { code: Some("TIMEOUT".into()), ..problem::plain(StatusCode::GATEWAY_TIMEOUT, text) }
        }
    };
    problem::response(&fault, "")
}

/// Refuses a body that says itself that it is too large.
///
/// # Errors
///
/// The answer to it.
pub(in crate::http) fn check_declared(headers: &HeaderMap, limit: usize) -> Result<(), Fault> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) { Err(problem::too_large(limit)) } else { Ok(()) }
}

/// Gives the body of a request its limits, for a handler that reads it itself.
///
/// # Errors
///
/// The answer to a body that says itself that it is too large.
pub(in crate::http) fn watched(
    head: &mut Parts,
    body: Body,
    limits: RouteDefaults,
) -> Result<(Body, BodyWatch), Fault> {
    check_declared(&head.headers, limits.max_body_bytes)?;
    // axum's own limit of 2 MB would hold, whatever the setting says. It is told by an extension that only a request takes.
    let mut unlimited = Request::new(());
    DefaultBodyLimit::disable().apply(&mut unlimited);
    head.extensions.extend(unlimited.into_parts().0.extensions);
    let broken = Arc::new(AtomicU8::new(WITHIN));
    let watch = BodyWatch { broken: broken.clone(), limits };
    let body = match body.is_end_stream() {
        true => body,
        false => Body::new(Bounded { body, left: limits.max_body_bytes, limits, sleep: None, broken }),
    };
    Ok((body, watch))
}

/// What becomes of a body with limits.
#[derive(Debug)]
pub(in crate::http) struct BodyWatch {
    broken: Arc<AtomicU8>,
    limits: RouteDefaults,
}

impl BodyWatch {
    /// What is wrong with the body, whatever the handler made of the error that it got.
    pub(in crate::http) fn fault(&self) -> Option<Fault> {
        match self.broken.load(Ordering::Relaxed) {
            TOO_LARGE => Some(problem::too_large(self.limits.max_body_bytes)),
            TOO_SLOW => Some(problem::too_slow(self.limits.body_timeout)),
            _ => None,
        }
    }
}

const WITHIN: u8 = 0;
const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;

/// A body that ends with an error where it is too long or comes too slowly.
struct Bounded {
    body: Body,
    left: usize,
    limits: RouteDefaults,
    /// From the first look at it.
    sleep: Option<Pin<Box<Sleep>>>,
    broken: Arc<AtomicU8>,
}

impl Bounded {
    fn end(&self, broken: u8) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.broken.store(broken, Ordering::Relaxed);
        let text = if broken == TOO_LARGE { "the body is too large" } else { "the body came too slowly" };
        Poll::Ready(Some(Err(axum::Error::new(text))))
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
                        Poll::Ready(Some(Ok(frame)))
                    }
                    None => self.end(TOO_LARGE),
                }
            }
            Poll::Pending => {
                let limit = self.limits.body_timeout;
                let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(limit)));
                match sleep.as_mut().poll(cx) {
                    Poll::Ready(()) => self.end(TOO_SLOW),
                    Poll::Pending => Poll::Pending,
                }
            }
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
