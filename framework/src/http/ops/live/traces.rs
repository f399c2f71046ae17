//! Spans of this process, by the trace that they belong to.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::observe::{Span, Subject, milliseconds};

/// How many of the last traces are listed.
const LISTED: usize = 30;

/// The last ones, the newest first. `spans` have the newest first.
pub(super) fn latest(spans: &[Arc<Span>]) -> Vec<Value> {
    let mut order: Vec<u128> = Vec::new();
    let mut traces: HashMap<u128, Vec<&Span>> = HashMap::new();
    for span in spans {
        let of_trace = traces.entry(span.context.trace_id).or_default();
        if of_trace.is_empty() {
            order.push(span.context.trace_id);
        }
        of_trace.push(span);
    }
    order.iter().take(LISTED).filter_map(|id| line(traces.get(id)?)).collect()
}

fn line(spans: &[&Span]) -> Option<Value> {
    let first = spans.iter().min_by_key(|span| span.started)?;
    let (began, duration) = extent(spans.iter().copied());
    Some(json!({
        "trace_id": first.context.trace_id(),
        "name": first.name(),
        "started": time(began),
        "duration_ms": milliseconds(duration),
        "spans": spans.len(),
        "failed": spans.iter().any(|span| span.ended.is_failure()),
    }))
}

/// One trace with all of its spans, in the order in which they began.
pub(super) fn whole(spans: &[Arc<Span>], trace_id: &str) -> Option<Value> {
    let wanted = u128::from_str_radix(trace_id, 16).ok()?;
    let mut of_trace: Vec<_> = spans.iter().filter(|span| span.context.trace_id == wanted).collect();
    of_trace.sort_by_key(|span| span.started);
    let (began, duration) = extent(of_trace.iter().map(|span| &***span));
    let parents: HashMap<u64, Option<u64>> = of_trace.iter().map(|span| (span.context.span_id, span.parent)).collect();
    let told: Vec<_> = of_trace
        .iter()
        .map(|span| {
            let offset = span.started.duration_since(began).unwrap_or_default();
            let mut told = subject(&span.subject);
            told["name"] = span.name().into();
            told["depth"] = depth(span, &parents).into();
            told["ended"] = span.ended.name().into();
            told["failed"] = span.ended.is_failure().into();
            told["error"] = span.error.as_deref().into();
            told["offset_ms"] = milliseconds(offset).into();
            told["duration_ms"] = milliseconds(span.duration).into();
            told
        })
        .collect();
    let first = of_trace.first()?;
    Some(json!({
        "trace_id": first.context.trace_id(),
        "name": first.name(),
        "started": time(began),
        "duration_ms": milliseconds(duration),
        "spans": told,
    }))
}

/// What a span is about. Nothing of what it carried.
fn subject(subject: &Subject) -> Value {
    match subject {
        Subject::Worker { entrypoint, call_id, attempt, waited, status, .. } => json!({
            "what": entrypoint.kind.name(),
            "call_id": call_id,
            "attempt": attempt,
            "waited_ms": milliseconds(*waited),
            "status": status,
        }),
        Subject::Call { .. } => json!({ "what": "call" }),
        Subject::Publish { .. } => json!({ "what": "send" }),
    }
}

/// How many spans it is within that are known here. A span that claims to be within itself is within nothing.
fn depth(span: &Span, parents: &HashMap<u64, Option<u64>>) -> usize {
    let mut depth = 0;
    let mut outer = span.parent;
    while let Some(parents_parent) = outer.and_then(|outer| parents.get(&outer)) {
        depth += 1;
        if depth > parents.len() {
            return 0;
        }
        outer = *parents_parent;
    }
    depth
}

/// When the first began, and how long it was until the last was over.
fn extent<'a>(spans: impl Iterator<Item = &'a Span> + Clone) -> (SystemTime, Duration) {
    let began = spans.clone().map(|span| span.started).min().unwrap_or(SystemTime::UNIX_EPOCH);
    let ended = spans.map(|span| span.started + span.duration).max().unwrap_or(began);
    (began, ended.duration_since(began).unwrap_or_default())
}

fn time(at: SystemTime) -> String {
    Timestamp::try_from(at).unwrap_or_default().to_string()
}
