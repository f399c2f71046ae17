//! Problem details for HTTP APIs (RFC 9457): the shape of every answer that is an error.

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::challenge::{self, BEARER};
use crate::protocol::{Fault, Value};

/// An answer that is an error, as `application/problem+json` has it (RFC 9457).
///
/// For tests and clients that read one; the server writes the same.
///
/// # Examples
///
/// ```
/// use kinoko::http::Problem;
///
/// let answer = r#"{
///     "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "INVALID_REQUEST",
///     "detail": "query limit: must be a whole number from 0 to 255", "call_id": "shop.list.1",
///     "errors": [{"in": "query", "name": "limit", "rule": "type", "message": "must be a whole number from 0 to 255", "value": "many"}]
/// }"#;
/// let problem: Problem = serde_json::from_str(answer)?;
/// assert_eq!(problem.code.as_deref(), Some("INVALID_REQUEST"));
/// assert_eq!(problem.errors[0].name.as_deref(), Some("limit"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
// Without the example in Rust.
#[schemars(description = "What went wrong (RFC 9457).")]
#[non_exhaustive]
pub struct Problem {
    /// `about:blank`: what the problem is, its `code` says.
    #[serde(rename = "type", default)]
    pub kind: Cow<'static, str>,
    /// The status in words.
    #[serde(default)]
    pub title: Cow<'static, str>,
    /// The status.
    pub status: u16,
    /// For people. Of an internal error it says nothing.
    #[serde(default)]
    pub detail: String,
    /// The stable code, for programs: of a service's own error what its `#[fault(code = …)]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'static, str>>,
    /// What the log knows the request by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// What is wrong with each parameter and field, of a request that was refused for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The fields of a service's own error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
}

/// What is wrong with one parameter, or with one field of the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct FieldProblem {
    /// Where it stands: `path`, `query`, `header`, `cookie` or `body`.
    #[serde(rename = "in")]
    pub place: Cow<'static, str>,
    /// The parameter. Of a body: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The field of the body, as a JSON pointer: `/lines/0/sku`. Empty: the body itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What is wrong, for people.
    pub message: String,
    /// Which rule it breaks, mostly a keyword of JSON schema: `required`, `type`, `maxLength`; `valid` for the others of the type.
    pub rule: Cow<'static, str>,
    /// What was sent, unless it is a secret, or holds other values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// The status of a fault: its own; 500 where it is internal, 400 where a service's error has none.
fn status(fault: &Fault) -> StatusCode {
    let own = fault.http.and_then(|status| StatusCode::from_u16(status).ok()).filter(|status| status.as_u16() >= 400);
    match own {
        // Another service's error, which says to whom it may concern that they are to blame: nobody knows whether that is this caller.
        Some(status) if fault.internal && status.is_client_error() => StatusCode::BAD_GATEWAY,
        Some(status) => status,
        None if fault.internal => StatusCode::INTERNAL_SERVER_ERROR,
        None => StatusCode::BAD_REQUEST,
    }
}

/// A fault as it is shown to strangers: of an internal one neither the text nor the data.
fn problem(fault: &Fault, call_id: &str) -> Problem {
    let status = status(fault);
    let mut problem = Problem {
        kind: "about:blank".into(),
        title: status.canonical_reason().unwrap_or("Error").into(),
        status: status.as_u16(),
        detail: fault.value.clone(),
        code: fault.code.clone(),
        call_id: (!call_id.is_empty()).then(|| call_id.to_owned()),
        errors: Vec::new(),
        data: None,
    };
    if fault.internal {
        problem.detail = "the log has more, under the call id".to_owned();
    } else if fault.is_nameko("BadRequest") {
        // Ours, about the request itself.
        let errors = fault.data.as_ref().and_then(|data| data.get("errors"));
        problem.errors = errors.and_then(|errors| Vec::deserialize(errors).ok()).unwrap_or_default();
    } else {
        problem.data = fault.data.clone();
    }
    problem
}

/// The answer that a fault is.
pub(super) fn response(fault: &Fault, call_id: &str) -> Response {
    let problem = problem(fault, call_id);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(serde_json::to_vec(&problem).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    let challenge = challenge::refusal(fault).or((status == StatusCode::UNAUTHORIZED).then_some(BEARER));
    headers.extend(challenge.map(|challenge| (header::WWW_AUTHENTICATE, challenge)));
    if let Some(wait) = fault.retry_after() {
        // In whole seconds, so that nobody comes too early.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

pub(super) fn plain(status: StatusCode, text: impl Into<String>) -> Fault {
    Fault { http: Some(status.as_u16()), ..Fault::nameko("BadRequest", text) }
}

pub(super) fn bad_request(code: &'static str, text: impl Into<String>) -> Fault {
    Fault { code: Some(code.into()), ..plain(StatusCode::BAD_REQUEST, text) }
}

pub(super) fn not_found() -> Fault {
    Fault { code: Some("NOT_FOUND".into()), ..plain(StatusCode::NOT_FOUND, "no such path") }
}

pub(super) fn method_not_allowed() -> Fault {
    let fault = plain(StatusCode::METHOD_NOT_ALLOWED, "the path is there, but not by this method");
    Fault { code: Some("METHOD_NOT_ALLOWED".into()), ..fault }
}

pub(super) fn too_large(limit: usize) -> Fault {
    let text = format!("the body is larger than the {limit} bytes that are allowed (http.max_body_bytes)");
    Fault { code: Some("TOO_LARGE".into()), ..plain(StatusCode::PAYLOAD_TOO_LARGE, text) }
}

pub(super) fn too_slow(limit: Duration) -> Fault {
    let text = format!("the body did not arrive within {limit:?} (http.body_timeout)");
    Fault { code: Some("TOO_SLOW".into()), ..plain(StatusCode::REQUEST_TIMEOUT, text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        CallError,
        protocol::{FaultMeta, ServiceError},
    };

    const META: FaultMeta = FaultMeta {
        exc_type: "OutOfStock",
        exc_path: "x.OutOfStock",
        exc_args: &[],
        code: "OUT_OF_STOCK",
        http: Some(409),
        grpc: None,
        retry: None,
    };

    fn shown(fault: &Fault) -> Value {
        serde_json::to_value(problem(fault, "shop.place.1")).unwrap()
    }

    #[test]
    fn a_services_own_error_has_its_status_its_code_and_its_fields() {
        let data = Map::from_iter([("left".to_owned(), json!(2))]);
        let expected = json!({
            "type": "about:blank", "title": "Conflict", "status": 409, "detail": "only 2 left", "code": "OUT_OF_STOCK",
            "call_id": "shop.place.1", "data": {"left": 2},
        });
        assert_eq!(shown(&Fault::of_variant(&META, &"only 2 left", Some(data.clone()))), expected);
        let without = FaultMeta { http: None, ..META };
        assert_eq!(shown(&Fault::of_variant(&without, &"", Some(data)))["status"], 400);
    }

    #[test]
    fn of_an_internal_error_nothing_is_told() {
        let remote =
            Fault::of_variant(&META, &"the key is k3y", Some(Map::from_iter([("key".to_owned(), json!("k3y"))])));
        let unknown = CallError::<crate::Error>::Remote(Box::new(remote)).to_fault();
        let by_question_mark = crate::Error::from(std::io::Error::other("the key is k3y")).to_fault();
        for (fault, status) in [(unknown, 502), (by_question_mark, 500), (Fault::panic(&"the key is k3y"), 500)] {
            let problem = shown(&fault);
            assert_eq!(problem["status"], status, "{problem}");
            assert!(!problem.to_string().contains("k3y"), "{problem}");
            assert_eq!(problem["call_id"], "shop.place.1");
        }
    }

    #[test]
    fn a_call_that_got_no_answer_is_a_gateways_problem_without_names() {
        let error = CallError::<crate::Error>::UnknownService { service: "vault".into(), did_you_mean: None };
        let problem = shown(&error.to_fault());
        assert_eq!((&problem["status"], &problem["code"]), (&json!(503), &json!("UNKNOWN_SERVICE")));
        assert!(!problem.to_string().contains("vault"), "{problem}");
    }

    #[test]
    fn a_401_says_how() {
        let response = response(&plain(StatusCode::UNAUTHORIZED, "who are you?"), "");
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn a_status_that_is_none_does_not_travel() {
        for http in [0, 99, 200, 302, 65_535] {
            assert_eq!(status(&Fault { http: Some(http), ..Fault::default() }), 400, "{http}");
        }
    }
}
