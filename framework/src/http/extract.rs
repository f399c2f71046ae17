//! Parameters that axum reads: any extractor, on methods that nothing but a request fires.

use std::panic::AssertUnwindSafe;

use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;

use super::{
    answer::answered,
    problem,
    request::{Request, request},
};
use crate::{
    protocol::Fault,
    service::{FaultKind, Outcome, WorkerCall},
    worker::unexpected,
};

/// The head of the request that fired a worker, for extractors.
pub fn head(call: &WorkerCall) -> Parts {
    match request(call) {
        Some(request) => request.parts.clone(),
        None => axum::http::Request::new(()).into_parts().0,
    }
}

/// Reads a parameter from the head of a request.
///
/// # Errors
///
/// The outcome to return: what the extractor refused with, as a problem.
pub async fn extract<T: Extractor>(head: &mut Parts) -> Result<T, Outcome> {
    read(T::from_request_parts(head, &())).await
}

/// An extractor that reads the head alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not read from the head of an HTTP request",
    label = "takes the body, or is no axum extractor",
    note = "what takes the body comes last; a parameter that the framework supplies is marked `#[inject]`"
)]
pub trait Extractor: FromRequestParts<()> {}

#[diagnostic::do_not_recommend]
impl<T: FromRequestParts<()>> Extractor for T {}

/// Reads a parameter beside others that come from the body.
///
/// # Errors
///
/// As [`extract`].
pub async fn extract_beside_body<T: BesideBody>(head: &mut Parts) -> Result<T, Outcome> {
    extract::<T>(head).await
}

/// An extractor that leaves the body alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` reads no request beside a parameter that comes from the body",
    label = "takes the body, or is no extractor",
    note = "the body is taken by the method's other parameters: leave them out, or mark them `#[query]`"
)]
pub trait BesideBody: FromRequestParts<()> {}

#[diagnostic::do_not_recommend]
impl<T: FromRequestParts<()>> BesideBody for T {}

/// Reads the last extracted parameter, which may take the body.
///
/// # Errors
///
/// As [`extract`].
pub async fn extract_last<M, T: LastExtractor<M>>(head: Parts, call: &WorkerCall) -> Result<T, Outcome> {
    let body = request(call).map(Request::take_body).unwrap_or_default();
    read(T::from_request(axum::http::Request::from_parts(head, body), &())).await
}

/// A panic is an outcome as that of a method is: the request gets its answer.
async fn read<T, R: IntoResponse>(extracted: impl Future<Output = Result<T, R>>) -> Result<T, Outcome> {
    match AssertUnwindSafe(extracted).catch_unwind().await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(rejection)) => Err(refused(rejection.into_response()).await),
        Err(payload) => Err(unexpected(Fault::panic(&*payload))),
    }
}

/// An extractor that may take the body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no axum extractor",
    label = "cannot be read from an HTTP request",
    note = "a caller's own data is a parameter with a plain name; one that the framework supplies is marked `#[inject]`"
)]
pub trait LastExtractor<M>: FromRequest<(), M> {}

#[diagnostic::do_not_recommend]
impl<M, T: FromRequest<(), M>> LastExtractor<M> for T {}

/// The longest text of a rejection that is told.
const MAX_TEXT: usize = 1024;

/// What an extractor refused with, in the shape that all errors have.
#[cold]
async fn refused(response: Response) -> Outcome {
    let (status, is_text) = (response.status(), response.headers().get(header::CONTENT_TYPE).is_none_or(is_text));
    if status.is_server_error() {
        return unexpected(Fault::internal("Extractor", format!("an extractor answered with {status}")));
    }
    if !is_text {
        // Its own shape.
        let fault = Fault::internal("Extractor", format!("refused with {status}"));
        return answered(response, Some(fault));
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, MAX_TEXT).await.unwrap_or_default();
    let fault = problem::plain(status, String::from_utf8_lossy(&text));
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    if parts.headers.is_empty() {
        return Outcome::Fault { fault: Box::new(fault), kind: FaultKind::Rejected };
    }
    // What it says beside its text, such as how to log in, is the extractor's own.
    let mut problem = problem::response(&fault, "");
    problem.headers_mut().extend(parts.headers);
    answered(problem, Some(fault))
}

fn is_text(content_type: &axum::http::HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"text/plain")
}
