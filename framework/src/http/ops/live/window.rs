//! What happened lately: the counters now and some seconds ago.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::policies;
use crate::{
    http::ops::past::Past,
    observe::{CallSnapshot, EntrypointSnapshot, HistogramSnapshot, Snapshot},
    resilience::PolicySight,
};

/// Snapshots are not taken more often.
const FRESH: Duration = Duration::from_millis(900);

/// The snapshots of the last seconds in which somebody looked.
#[derive(Default)]
pub(super) struct Window {
    past: Past<Counted>,
    last: Option<(Instant, Value)>,
}

/// What is counted at one moment.
#[derive(Clone)]
pub(super) struct Counted {
    pub(super) program: Snapshot,
    pub(super) policies: Vec<PolicySight>,
}

/// The same as JSON, with what it came to lately.
pub(super) struct Told {
    pub(super) entrypoints: Vec<Value>,
    pub(super) calls: Vec<Value>,
    pub(super) policies: Vec<Value>,
}

impl Window {
    /// The last one, where it is new enough.
    pub(super) fn last(&self, now: Instant) -> Option<Value> {
        self.last.as_ref().filter(|(at, _)| now < *at + FRESH).map(|(_, value)| value.clone())
    }

    pub(super) fn keep(&mut self, now: Instant, value: Value) {
        self.last = Some((now, value));
    }

    /// Adds what is counted now, and tells what it came to lately.
    pub(super) fn add(&mut self, now: Instant, counted: &Counted) -> Told {
        let before = self.past.before(now);
        let entrypoints = counted.program.entrypoints.iter().map(|entrypoint| {
            let before = before.map(|(since, Counted { program, .. })| {
                (
                    since,
                    program.entrypoints.iter().find(|other| is_same(entrypoint, other)).map(|other| &other.duration),
                )
            });
            with_recent(json!(entrypoint), &entrypoint.duration, before)
        });
        let calls = counted.program.calls.iter().map(|call| {
            let before = before.map(|(since, Counted { program, .. })| {
                (since, program.calls.iter().find(|other| is_same_call(call, other)).map(|other| &other.duration))
            });
            with_recent(json!(call), &call.duration, before)
        });
        let policies_before = before.map(|(since, counted)| (since, counted.policies.as_slice()));
        let told = Told {
            entrypoints: entrypoints.collect(),
            calls: calls.collect(),
            policies: policies::told(&counted.policies, policies_before),
        };
        self.past.keep(now, counted.clone());
        told
    }
}

fn is_same(one: &EntrypointSnapshot, other: &EntrypointSnapshot) -> bool {
    (one.service, one.method, one.kind, one.route) == (other.service, other.method, other.kind, other.route)
}

fn is_same_call(one: &CallSnapshot, other: &CallSnapshot) -> bool {
    (&one.service, &one.method) == (&other.service, &other.method)
}

/// Adds how many ended in a second, and how long they took.
fn with_recent(
    mut told: Value,
    now: &HistogramSnapshot,
    before: Option<(Duration, Option<&HistogramSnapshot>)>,
) -> Value {
    if let Some((since, before)) = before {
        let lately = now.since(before);
        told["recent"] = json!({
            "seconds": since.as_secs_f64(),
            "rate": lately.count as f64 / since.as_secs_f64().max(f64::MIN_POSITIVE),
            "p50_seconds": lately.quantile(0.5),
            "p99_seconds": lately.quantile(0.99),
        });
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{EntrypointKind, Observer};

    #[tokio::test(start_paused = true)]
    async fn rates_and_latencies_are_those_of_the_last_seconds() {
        let observer = Observer::off();
        let entrypoint = observer.entrypoint("orders", "place", EntrypointKind::Rpc, None);
        let mut window = Window::default();
        let mut after = async |seconds: u64, calls: u32| {
            for _ in 0..calls {
                // Dropped, it counts as cancelled, and its duration does not.
                drop(entrypoint.arrived());
            }
            tokio::time::advance(Duration::from_secs(seconds)).await;
            let now = Instant::now();
            let counted = Counted { program: observer.snapshot(), policies: Vec::new() };
            window.add(now, &counted).entrypoints.remove(0)
        };
        assert_eq!(after(0, 0).await["recent"], Value::Null);
        let recent = after(1, 3).await["recent"].clone();
        assert_eq!(
            (&recent["seconds"], &recent["rate"], &recent["p99_seconds"]),
            (&json!(1.0), &json!(0.0), &Value::Null)
        );
        for _ in 0..30 {
            after(1, 0).await;
        }
        let seconds = after(1, 0).await["recent"]["seconds"].as_f64().unwrap();
        assert!((10.0..=11.0).contains(&seconds), "{seconds}");
        assert_eq!(after(6, 0).await["recent"], Value::Null, "nobody looked");
    }

    #[test]
    fn what_was_counted_before_does_not_count() {
        let histogram = |counts: &[u64]| HistogramSnapshot {
            bounds: vec![0.1, 1.0],
            counts: counts.to_vec(),
            count: counts.iter().sum(),
            ..HistogramSnapshot::default()
        };
        let (before, now) = (histogram(&[1000, 0, 0]), histogram(&[1000, 20, 0]));
        let told = with_recent(json!({}), &now, Some((Duration::from_secs(10), Some(&before))));
        assert_eq!(told["recent"]["rate"], 2.0);
        assert!(told["recent"]["p50_seconds"].as_f64().unwrap() > 0.1, "{told}");
        let told = with_recent(json!({}), &now, Some((Duration::from_secs(10), None)));
        assert_eq!(told["recent"]["rate"], 102.0);
    }
}
