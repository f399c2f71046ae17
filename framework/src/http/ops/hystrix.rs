//! `/hystrix.stream`: server-sent events as Netflix's Hystrix wrote them, so that dashboards for it show this program too.
//!
//! A policy is a command, its service the group. What Hystrix has and kinoko has not, caches and thread pools, is 0.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use futures_util::stream::unfold;
use serde_json::{Map, Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use super::{
    Phase, Watched,
    past::{LENGTH, Past},
};
use crate::{
    http::problem,
    protocol::context_data::unix_ms,
    resilience::{BreakerState, Outcome, PolicySettings, PolicySight, Window},
};

pub(super) const PATH: &str = "/hystrix.stream";

/// How often, as Hystrix has it by default.
const EVERY: Duration = Duration::from_millis(500);
/// How many may look at once.
const MOST_LOOKING: usize = 16;

#[derive(Clone)]
struct Stream {
    watched: Arc<Watched>,
    places: Arc<Semaphore>,
}

pub(super) fn router(watched: &Arc<Watched>) -> Router {
    let stream = Stream { watched: watched.clone(), places: Arc::new(Semaphore::new(MOST_LOOKING)) };
    Router::new().route(PATH, get(looked_at)).with_state(stream)
}

async fn looked_at(State(stream): State<Stream>) -> Response {
    let Ok(place) = stream.places.clone().try_acquire_owned() else {
        let text = format!("{MOST_LOOKING} look at it already");
        return problem::response(&problem::plain(StatusCode::SERVICE_UNAVAILABLE, text), "");
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = Looking { watched: stream.watched, ticks, seen: Past::default(), _place: place };
    let events = unfold(looking, |mut looking| async move {
        let event = looking.next().await?;
        Some((Ok::<_, Infallible>(event), looking))
    });
    let mut response = Response::new(Body::from_stream(events));
    for (name, value) in
        [(header::CONTENT_TYPE, "text/event-stream;charset=UTF-8"), (header::CACHE_CONTROL, "no-store")]
    {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

struct Looking {
    watched: Arc<Watched>,
    ticks: Interval,
    seen: Past<Vec<PolicySight>>,
    _place: OwnedSemaphorePermit,
}

impl Looking {
    /// One event for each policy; `None` at the end of the program.
    async fn next(&mut self) -> Option<String> {
        let mut phase = self.watched.phases();
        tokio::select! {
            biased;
            // An error is the end of the program.
            _ = phase.wait_for(|phase| *phase == Phase::Stopped) => return None,
            _ = self.ticks.tick() => {}
        }
        let (now, policies) = (Instant::now(), self.watched.program.policies().look());
        let before = self.seen.before(now).map(|(_, policies)| policies.as_slice()).unwrap_or_default();
        let events = policies.iter().map(|policy| format!("data: {}\n\n", command(policy, before)));
        // A line that says nothing keeps the connection where there is no policy.
        let text = if policies.is_empty() { "ping: \n\n".to_owned() } else { events.collect() };
        self.seen.keep(now, policies);
        Some(text)
    }
}

/// A policy as Hystrix writes a command, with what has come since `before`.
fn command(policy: &PolicySight, before: &[PolicySight]) -> Value {
    let lately = policy.since(before);
    let rejected = lately.count(Outcome::BulkheadFull) + lately.count(Outcome::RateLimited);
    let (requests, errors, duration) = (lately.requests(), lately.errors(), &lately.duration);
    let latency: Map<String, Value> = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 100.0]
        .into_iter()
        .map(|percent: f64| (percent.to_string(), json!(milliseconds(duration.quantile(percent / 100.0)))))
        .collect();
    let mean = if duration.count == 0 { 0 } else { milliseconds(Some(duration.sum_seconds / duration.count as f64)) };
    let state = policy.circuit.as_ref().map(|circuit| circuit.state);
    let mut command = json!({
        "type": "HystrixCommand",
        "name": policy.name,
        "group": policy.service,
        "currentTime": unix_ms(),
        "isCircuitBreakerOpen": matches!(state, Some(BreakerState::Open | BreakerState::ForcedOpen)),
        "errorPercentage": (errors * 100).checked_div(requests).unwrap_or(0),
        "errorCount": errors,
        "requestCount": requests,
        "rollingCountSuccess": lately.count(Outcome::Success),
        "rollingCountFailure": lately.count(Outcome::Failure),
        "rollingCountExceptionsThrown": errors,
        "rollingCountTimeout": lately.count(Outcome::Timeout),
        "rollingCountShortCircuited": lately.count(Outcome::CircuitOpen),
        "rollingCountSemaphoreRejected": rejected,
        "rollingCountFallbackSuccess": lately.fallbacks_ok,
        "rollingCountFallbackFailure": lately.fallbacks_failed,
        "currentConcurrentExecutionCount": lately.in_flight,
        "latencyExecute_mean": mean,
        "latencyExecute": latency,
        "latencyTotal_mean": mean,
        "latencyTotal": latency,
        "propertyValue_circuitBreakerForceOpen": state == Some(BreakerState::ForcedOpen),
        "propertyValue_circuitBreakerForceClosed": state == Some(BreakerState::ForcedClosed),
        "propertyValue_circuitBreakerEnabled": state.is_some(),
        "reportingHosts": 1,
    });
    for (name, value) in properties(&policy.settings) {
        command[name] = value;
    }
    for name in [
        "rollingCountBadRequests",
        "rollingCountCollapsedRequests",
        "rollingCountEmit",
        "rollingCountFallbackEmit",
        "rollingCountFallbackMissing",
        "rollingCountFallbackRejection",
        "rollingCountResponsesFromCache",
        "rollingCountThreadPoolRejected",
        "rollingMaxConcurrentExecutionCount",
    ] {
        command[name] = json!(0);
    }
    command
}

/// What Hystrix calls its settings.
fn properties(settings: &PolicySettings) -> [(&'static str, Value); 11] {
    let breaker = settings.breaker.clone().unwrap_or_default();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let window = match breaker.window {
        Window::Time(time) => millis(time),
        Window::Calls(_) => millis(LENGTH),
    };
    let timeout = settings.attempt_timeout.or(settings.timeout).map_or(0, millis);
    let most = settings.bulkhead.as_ref().map_or(0, |bulkhead| bulkhead.concurrency);
    [
        ("propertyValue_circuitBreakerRequestVolumeThreshold", json!(breaker.min_calls)),
        ("propertyValue_circuitBreakerSleepWindowInMilliseconds", json!(millis(breaker.open_for))),
        ("propertyValue_circuitBreakerErrorThresholdPercentage", json!((breaker.failure_rate * 100.0).round())),
        ("propertyValue_executionIsolationStrategy", json!("SEMAPHORE")),
        ("propertyValue_executionIsolationThreadTimeoutInMilliseconds", json!(timeout)),
        ("propertyValue_executionTimeoutInMilliseconds", json!(timeout)),
        ("propertyValue_executionIsolationThreadInterruptOnTimeout", json!(true)),
        ("propertyValue_executionIsolationSemaphoreMaxConcurrentRequests", json!(most)),
        ("propertyValue_metricsRollingStatisticalWindowInMilliseconds", json!(window)),
        ("propertyValue_requestCacheEnabled", json!(false)),
        ("propertyValue_requestLogEnabled", json!(false)),
    ]
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of seconds")]
fn milliseconds(seconds: Option<f64>) -> u64 {
    (seconds.unwrap_or_default() * 1_000.0).round() as u64
}
