//! What the forms of the docs page send: a call or an event, in the name of the program. Only in development mode.

use std::convert::Infallible;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, json};

use super::route;
use crate::{
    CallError, EventDispatcher, ServiceProxy,
    codec::essence,
    http::{ops::Token, page, problem, router::Route},
    protocol::{Fault, Value},
};

/// The most bytes of what a form sends.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What the page sends with.
#[derive(Clone)]
pub(super) struct Sending {
    pub(super) proxy: ServiceProxy,
    pub(super) events: EventDispatcher,
    /// What a request must bring.
    pub(super) token: Token,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    service: String,
    method: String,
    #[serde(default)]
    kwargs: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    source: String,
    event: String,
    payload: Value,
}

impl Sending {
    pub(super) fn routes(self) -> [Route; 2] {
        let (calls, events) = (self.clone(), self);
        [
            route("POST", "/docs/send/rpc", move |request| {
                let sending = calls.clone();
                async move { answer(sending.call(request).await) }
            }),
            route("POST", "/docs/send/event", move |request| {
                let sending = events.clone();
                async move { answer(sending.dispatch(request).await) }
            }),
        ]
    }

    async fn call(self, request: Request) -> Result<Value, Fault> {
        let Call { service, method, kwargs } = self.read(request).await?;
        let call =
            kwargs.into_iter().fold(self.proxy.call(service, method), |call, (name, value)| call.kwarg(name, value));
        Ok(match call.await {
            Ok(result) => json!({ "result": result }),
            Err(error) => json!({ "error": told(&error) }),
        })
    }

    async fn dispatch(self, request: Request) -> Result<Value, Fault> {
        let Event { source, event, payload } = self.read(request).await?;
        Ok(match self.events.dispatch_to(source, event, &payload).await {
            Ok(dispatched) => json!({ "routed": dispatched.routed, "message_id": dispatched.message_id.as_str() }),
            Err(error) => json!({ "error": { "type": "DispatchError", "text": error.to_string() } }),
        })
    }

    /// What a request of the page's own says.
    async fn read<T: DeserializeOwned>(&self, request: Request) -> Result<T, Fault> {
        if let Some(reason) = page::refusal(&request) {
            return Err(problem::plain(StatusCode::FORBIDDEN, format!("the request is not taken: {reason}")));
        }
        if let Some(refusal) = self.token.refusal(request.headers()) {
            return Err(refusal);
        }
        if !is_json(request.headers()) {
            return Err(problem::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be application/json"));
        }
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await;
        let body = body.map_err(|_| problem::too_large(MAX_BODY_BYTES))?;
        serde_json::from_slice(&body)
            .map_err(|error| problem::plain(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
    }
}

/// What a page of another origin cannot send without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    essence(media).eq_ignore_ascii_case("application/json")
}

/// An error as its caller would have it.
fn told(error: &CallError<Infallible>) -> Value {
    let fault = error.to_fault();
    let text = match error {
        CallError::Remote(fault) => fault.value.clone(),
        other => other.to_string(),
    };
    json!({
        "type": fault.exc_type,
        "code": fault.code,
        "text": text,
        "data": fault.data,
        "retryable": fault.retryable,
        "may_have_run": error.may_have_run(),
    })
}

fn answer(answer: Result<Value, Fault>) -> Response {
    let mut response = match answer {
        Ok(value) => axum::Json(value).into_response(),
        Err(fault) => problem::response(&fault, ""),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
