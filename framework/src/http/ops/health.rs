//! Whether the process lives, and whether it takes requests.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use super::{Phase, Watched};
use crate::{
    container::{Program, ServiceState, broker_reason},
    transport::ConnectionState,
};

/// That the process answers is all that this says. An outage of the broker is no reason to restart it.
pub(super) fn live() -> Response {
    json_response(StatusCode::OK, &json!({"status": "live"}))
}

/// 200 where every part works, else 503, with each part and what is wrong with it.
pub(super) fn ready(watched: &Watched) -> Response {
    let (is_ready, report) = report(watched);
    json_response(if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &report)
}

/// Whether every part works, and each part.
pub(super) fn report(watched: &Watched) -> (bool, Value) {
    let (phase, readiness) = (watched.phase(), watched.program.readiness());
    let is_ready = phase == Phase::Running && readiness.is_ready();
    let mut reasons = readiness.reasons().to_vec();
    match phase {
        Phase::Starting => reasons.insert(0, "the services are starting".to_owned()),
        Phase::Running => {}
        Phase::Stopping | Phase::Stopped => reasons.insert(0, "the services are stopping".to_owned()),
    }
    let services: Vec<_> = watched.program.services().iter().map(service).collect();
    let report = json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "phase": name(phase),
        "reasons": reasons,
        "broker": broker(&watched.program),
        "dependencies": dependencies(&watched.program.unready()),
        "services": services,
        "interruptions": readiness.interruptions(),
    });
    (is_ready, report)
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Stopping | Phase::Stopped => "stopping",
    }
}

fn broker(program: &Program) -> Value {
    let (address, state) = program.broker();
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

/// Those that keep the program from being ready.
fn dependencies(unready: &[String]) -> Value {
    unready.iter().map(|reason| json!({"ready": false, "reason": reason})).collect()
}

fn service(service: &ServiceState) -> Value {
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
        "ready": service.consumers.iter().all(|consumer| consumer.running) && service.unready.is_empty(),
        "running_workers": service.running_workers,
        "consumers": consumers,
        "dependencies": dependencies(&service.unready),
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
