//! The policies around calls: looked at, and changed while the program runs.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, put},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Token, Watched, health::json_response};
use crate::{
    Settings,
    http::problem,
    protocol::Fault,
    resilience::{Overrides, PolicySettings, PolicySight, StatsSnapshot, Window},
};

pub(super) const PATH: &str = "/policies";

#[derive(Clone)]
struct Ops {
    watched: Arc<Watched>,
    token: Token,
}

/// `GET /policies`; and with the token `PUT /policies/{service}/{name}`, which changes settings and forces circuits.
pub(super) fn router(watched: &Arc<Watched>, token: &Token) -> Router {
    let one = format!("{PATH}/{{service}}/{{name}}");
    let ops = Ops { watched: watched.clone(), token: token.clone() };
    Router::new().route(PATH, get(list)).route(&one, put(change)).with_state(ops)
}

async fn list(State(ops): State<Ops>) -> Response {
    let policies: Vec<Value> = ops.watched.program.policies().look().iter().map(describe).collect();
    json_response(StatusCode::OK, &json!({ "policies": policies }))
}

/// What is asked for; what is not named stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    circuit: Option<Forced>,
    settings: Option<Map<String, Value>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Forced {
    Open,
    Closed,
    /// By itself.
    Automatic,
}

async fn change(
    State(ops): State<Ops>,
    Path((service, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match try_change(&ops, &service, &name, &headers, &body) {
        Ok(policy) => json_response(StatusCode::OK, &policy),
        Err(fault) => problem::response(&fault, ""),
    }
}

fn try_change(ops: &Ops, service: &str, name: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, Fault> {
    if let Some(refusal) = ops.token.refusal(headers) {
        return Err(refusal);
    }
    let wrong = |text: String| problem::plain(StatusCode::UNPROCESSABLE_ENTITY, text);
    let policies = ops.watched.program.policies();
    let Some(policy) = policies.find(service, name) else {
        return Err(problem::plain(StatusCode::NOT_FOUND, format!("no such policy; GET {PATH} lists them")));
    };
    let example = r#"{"circuit": "open"|"closed"|"automatic", "settings": {"timeout": "2s"}}"#;
    let Change { circuit, settings } =
        serde_json::from_slice(body).map_err(|error| wrong(format!("{error}; it has to be {example}")))?;
    if circuit.is_some() && policy.state().is_none() {
        return Err(wrong(format!(
            "`{name}` has no circuit breaker; `settings` can give it one: {{\"breaker\": {{}}}}"
        )));
    }
    if let Some(settings) = settings {
        let mut wanted = Settings::default();
        wanted.set("policies.wanted", settings);
        let overrides = Overrides::read(&wanted, "wanted").map_err(|error| wrong(error.to_string()))?;
        policy.configure(overrides.over(policy.settings())).map_err(|error| wrong(error.to_string()))?;
        tracing::info!(service, policy = name, "settings of a policy were changed by the operations endpoint");
    }
    match circuit {
        Some(Forced::Open) => policy.force_open(),
        Some(Forced::Closed) => policy.force_closed(),
        Some(Forced::Automatic) => policy.release(),
        None => {}
    }
    let sight = policies.look().into_iter().find(|sight| sight.service == service && sight.name == name);
    Ok(sight.as_ref().map_or(Value::Null, describe))
}

/// A policy as JSON.
pub(super) fn describe(sight: &PolicySight) -> Value {
    let circuit = sight.circuit.as_ref().map(|circuit| {
        json!({
            "state": circuit.state.name(),
            "calls": circuit.calls,
            "failed": circuit.failed,
            "slow": circuit.slow,
            "opened": circuit.opened,
        })
    });
    let bulkhead = sight.bulkhead.as_ref().map(
        |bulkhead| json!({ "busy": bulkhead.busy, "waiting": bulkhead.waiting, "concurrency": bulkhead.concurrency }),
    );
    let mut told = counts(&sight.counted);
    told["service"] = sight.service.into();
    told["name"] = (*sight.name).into();
    told["settings"] = settings(&sight.settings);
    told["circuit"] = json!(circuit);
    told["bulkhead"] = json!(bulkhead);
    told["in_flight"] = sight.counted.in_flight.into();
    told
}

/// What calls under a policy came to as JSON.
pub(super) fn counts(counted: &StatsSnapshot) -> Value {
    json!({
        "calls": counted.calls(),
        "repeated": counted.repeated,
        "fallbacks": { "ok": counted.fallbacks_ok, "failed": counted.fallbacks_failed },
        "p50_seconds": counted.duration.quantile(0.5),
        "p99_seconds": counted.duration.quantile(0.99),
    })
}

/// The settings of a policy as JSON, the times in seconds.
fn settings(settings: &PolicySettings) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let retry = settings.retry.as_ref().map(|retry| {
        json!({
            "max": retry.max,
            "backoff_seconds": [retry.backoff.first.as_secs_f64(), retry.backoff.longest.as_secs_f64()],
            "budget": retry.budget,
            "idempotent": retry.idempotent,
        })
    });
    let breaker = settings.breaker.as_ref().map(|breaker| {
        let (calls, window) = match breaker.window {
            Window::Calls(calls) => (Some(calls), None),
            Window::Time(time) => (None, Some(time)),
        };
        json!({
            "failure_rate": breaker.failure_rate,
            "slow_rate": breaker.slow_rate,
            "slow_after_seconds": seconds(breaker.slow_after),
            "window_calls": calls,
            "window_seconds": seconds(window),
            "min_calls": breaker.min_calls,
            "open_for_seconds": breaker.open_for.as_secs_f64(),
            "trials": breaker.trials,
        })
    });
    let bulkhead = settings.bulkhead.as_ref();
    json!({
        "timeout_seconds": seconds(settings.timeout),
        "attempt_timeout_seconds": seconds(settings.attempt_timeout),
        "retry": retry,
        "breaker": breaker,
        "bulkhead": bulkhead.map(|room| json!({ "concurrency": room.concurrency, "queue": room.queue })),
        "rate_limit": settings.rate_limit.as_ref().map(|limit| {
            json!({ "calls": limit.calls, "per_seconds": limit.per.as_secs_f64(), "burst": limit.burst })
        }),
    })
}
