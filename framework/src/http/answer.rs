//! What a method's value becomes over HTTP: `IntoResponse` as it is, else JSON.

use std::{fmt, marker::PhantomData};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sync_wrapper::SyncWrapper;

use crate::{
    codec::Format,
    protocol::{Fault, ServiceError},
    service::Outcome,
    worker::{failed, unexpected},
};

/// A response, and why it is one of failure.
pub(super) struct Answered {
    pub(super) response: SyncWrapper<Response>,
    status: u16,
    /// Where the method ended with an error that answers for itself.
    fault: Option<Fault>,
}

impl crate::service::Response for Answered {
    fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    fn status(&self) -> Option<u16> {
        Some(self.status)
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("fault", &self.fault).finish_non_exhaustive()
    }
}

/// Asks, at a concrete type, whether it is a response: an inherent constant hides the trait's.
#[derive(Debug)]
pub struct ResponseProbe<T>(PhantomData<T>);

impl<T: IntoResponse> ResponseProbe<T> {
    /// It is one.
    pub const YES: bool = true;
}

/// The other half of [`ResponseProbe`].
pub trait NotResponse {
    /// It is none.
    const YES: bool = false;
}

impl<T> NotResponse for ResponseProbe<T> {}

/// A value that answers a request.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer an HTTP request",
    label = "neither `Serialize` nor `IntoResponse`",
    note = "add `#[derive(serde::Serialize)]` to it to answer with JSON, or return something that is axum's `IntoResponse`"
)]
pub trait Answers<const IS_RESPONSE: bool> {
    /// The response, with this status unless it has one of its own.
    fn answer(self, status: u16) -> Outcome;
}

impl<T: IntoResponse> Answers<true> for T {
    fn answer(self, status: u16) -> Outcome {
        success(self.into_response(), status)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Answers<false> for T {
    fn answer(self, status: u16) -> Outcome {
        match Format::Json.encode(&self) {
            Ok(body) => {
                let mut response = Response::new(Body::from(body));
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                success(response, status)
            }
            Err(error) => unexpected(Fault::internal("UnserializableValue", error.to_string())),
        }
    }
}

/// A response with this status, unless it has one of its own.
fn success(mut response: Response, status: u16) -> Outcome {
    if response.status() == StatusCode::OK
        && let Ok(status) = StatusCode::from_u16(status)
    {
        *response.status_mut() = status;
    }
    // A 204 has no content (RFC 9110, 15.3.5), whatever the value would be.
    if response.status() == StatusCode::NO_CONTENT {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    answered(response, None)
}

/// An error that answers a request.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer an HTTP request as an error",
    label = "neither a `ServiceError` nor `IntoResponse`",
    note = "add `#[derive(ServiceError)]` to it, or return `kinoko::Result<T>` to answer with 500 and log what it was"
)]
pub trait AnswersError<const IS_SERVICE_ERROR: bool> {
    /// The outcome.
    fn answer(self) -> Outcome;
}

impl<E: ServiceError> AnswersError<true> for E {
    fn answer(self) -> Outcome {
        failed(self)
    }
}

#[diagnostic::do_not_recommend]
impl<E: IntoResponse> AnswersError<false> for E {
    fn answer(self) -> Outcome {
        let response = self.into_response();
        let text = format!("answered with {}", response.status());
        answered(response, Some(Fault::internal("Response", text)))
    }
}

pub(super) fn answered(response: Response, fault: Option<Fault>) -> Outcome {
    let status = response.status().as_u16();
    Outcome::Response(Box::new(Answered { response: SyncWrapper::new(response), status, fault }))
}

/// What a method's value becomes. Plain, so that its types are asked in one call.
pub fn answer<const R: bool, const S: bool, T: Answers<R>, E: AnswersError<S>>(
    value: Result<T, E>,
    status: u16,
) -> Outcome {
    match value {
        Ok(value) => value.answer(status),
        Err(error) => error.answer(),
    }
}
