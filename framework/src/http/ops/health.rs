//! Whether the process lives, and whether it takes requests.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    container::{Phase, Pulse, broker_reason},
    transport::ConnectionState,
};

/// That the process answers is all that this says. An outage of the broker is no reason to restart it.
pub(super) fn live() -> Response {
    json_response(StatusCode::OK, &json!({"status": "live"}))
}

/// 200 where every part works, else 503, with each part and what is wrong with it.
pub(super) fn ready(pulse: &Pulse) -> Response {
    let readiness = pulse.readiness();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let services: Vec<_> = pulse.services().iter().map(service).collect();
    let report = json!({
        "status": if readiness.is_ready() { "ready" } else { "not ready" },
        "phase": phase(pulse.phase()),
        "reasons": readiness.reasons(),
        "broker": broker(pulse),
        "services": services,
        "interruptions": readiness.interruptions(),
    });
    json_response(status, &report)
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Stopping => "stopping",
    }
}

fn broker(pulse: &Pulse) -> Value {
    let (address, state) = (pulse.broker(), pulse.broker_state());
    let name = match &state {
        ConnectionState::Connected => "connected",
        ConnectionState::Connecting(_) => "connecting",
        ConnectionState::Blocked(_) => "blocked",
        ConnectionState::Refused(_) => "refused",
        ConnectionState::Closed => "closed",
    };
    let reason = broker_reason(&address, &state);
    json!({"ready": reason.is_none(), "address": address, "state": name, "reason": reason})
}

fn service(service: &crate::container::ServicePulse) -> Value {
    let consumers: Vec<_> = service
        .consumers
        .iter()
        .map(|consumer| {
            json!({
                "queue": &*consumer.queue,
                "ready": consumer.running,
                "interruptions": consumer.interruptions,
                "reason": (!consumer.running).then_some(&consumer.reason),
            })
        })
        .collect();
    json!({
        "name": service.name,
        "ready": service.consumers.iter().all(|consumer| consumer.running),
        "running_workers": service.running_workers,
        "consumers": consumers,
    })
}

/// What is true for a moment is not to be kept by anybody.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
