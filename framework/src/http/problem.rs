//! Problem details for HTTP APIs (RFC 9457): the shape of every answer that is an error.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;

use crate::protocol::Fault;

/// The status of a fault: its own; 500 where it is internal, 400 where a service's error has none.
fn status(fault: &Fault) -> StatusCode {
    let own = fault.http.and_then(|status| StatusCode::from_u16(status).ok());
    own.unwrap_or(if fault.internal { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST })
}

/// A fault as it is shown to strangers.
pub(super) fn response(fault: &Fault, call_id: &str) -> Response {
    let status = status(fault);
    let detail = if fault.internal { "the log has more, under the call id".to_owned() } else { fault.value.clone() };
    let mut problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
    });
    if let Some(code) = &fault.code {
        problem["code"] = code.as_ref().into();
    }
    if !call_id.is_empty() {
        problem["call_id"] = call_id.into();
    }
    let mut response = Response::new(Body::from(problem.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

pub(super) fn plain(status: StatusCode, text: impl Into<String>) -> Fault {
    Fault { http: Some(status.as_u16()), ..Fault::nameko("BadRequest", text) }
}

pub(super) fn bad_request(code: &'static str, text: impl Into<String>) -> Fault {
    Fault { code: Some(code.into()), ..plain(StatusCode::BAD_REQUEST, text) }
}

pub(super) fn too_large(limit: usize) -> Fault {
    let text = format!("the body is larger than the {limit} bytes that are allowed (http.max_body_bytes)");
    Fault { code: Some("TOO_LARGE".into()), ..plain(StatusCode::PAYLOAD_TOO_LARGE, text) }
}

pub(super) fn too_slow(limit: Duration) -> Fault {
    let text = format!("the body did not arrive within {limit:?} (http.body_timeout)");
    Fault { code: Some("TOO_SLOW".into()), ..plain(StatusCode::REQUEST_TIMEOUT, text) }
}

pub(super) fn stopping() -> Fault {
    let text = "this instance is stopping: ask again";
    Fault { code: Some("STOPPING".into()), retryable: Some(true), ..plain(StatusCode::SERVICE_UNAVAILABLE, text) }
}
