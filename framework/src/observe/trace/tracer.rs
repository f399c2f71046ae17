use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use tokio::time::Instant;

use super::{Trace, TraceContext};
use crate::{
    observe::{Span, SpanSink},
    protocol::{Properties, context_data},
};

/// Which new traces are recorded, and where the spans go.
pub(crate) struct Tracer {
    /// Of all random numbers, those up to this are sampled. 0: nothing is traced, and what is traced elsewhere is only passed on.
    threshold: u64,
    limit: Limit,
    sinks: OnceLock<Vec<Arc<dyn SpanSink>>>,
}

impl Tracer {
    /// Of new traces, this share, and no more than so many a second. Of what was begun elsewhere, whatever is sampled there.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
    pub(crate) fn new(share: f64, per_second: u64) -> Self {
        let threshold = if share >= 1.0 { u64::MAX } else { (share * u64::MAX as f64) as u64 };
        Self { threshold, limit: Limit::new(per_second), sinks: OnceLock::new() }
    }

    /// Where spans go, once, before there are any.
    pub(crate) fn send_to(&self, sinks: Vec<Arc<dyn SpanSink>>) {
        let _ = self.sinks.set(sinks);
    }

    /// Waits until what was recorded is where it goes.
    pub(crate) async fn flush(&self) {
        for sink in self.sinks.get().into_iter().flatten() {
            sink.flush().await;
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.threshold > 0
    }

    /// The place in a trace of what such a message fires.
    pub(crate) fn receive(&self, now: Instant, properties: &Properties, short_path: bool) -> Option<Trace> {
        if !self.is_on() {
            return None;
        }
        let sender = context_data::trace_parent(properties, short_path).and_then(TraceContext::parse);
        Some(match sender {
            Some(sender) => Trace { own: sender.child(), parent: Some(sender.span_id) },
            None => self.begin(now),
        })
    }

    /// A new trace.
    pub(crate) fn begin(&self, now: Instant) -> Trace {
        let sampled = self.threshold > 0 && fastrand::u64(..) <= self.threshold && self.limit.take(now);
        Trace { own: TraceContext::root(sampled), parent: None }
    }

    /// A span inside another, or one that begins a trace.
    pub(crate) fn within(&self, now: Instant, outer: Option<Trace>) -> Option<Trace> {
        match outer {
            // Nobody will ask for its parts.
            Some(outer) if !outer.own.sampled => Some(outer),
            Some(outer) => Some(Trace { own: outer.own.child(), parent: Some(outer.own.span_id) }),
            None => self.is_on().then(|| self.begin(now)),
        }
    }

    /// A span is over, of a trace that is sampled.
    pub(crate) fn record(&self, span: Span) {
        let Some(sinks) = self.sinks.get() else { return };
        let span = Arc::new(span);
        for sink in sinks {
            sink.span(&span);
        }
    }
}

/// At most so many a second: when the next would be due if they came evenly (the generic cell rate algorithm), in one word.
struct Limit {
    origin: Instant,
    /// In nanoseconds since the origin.
    due: AtomicU64,
    /// Between two of them; 0: there is no limit.
    interval: u64,
}

/// A second's worth may come at once.
const BURST: u64 = 1_000_000_000;

impl Limit {
    fn new(per_second: u64) -> Self {
        Self { origin: Instant::now(), due: AtomicU64::new(0), interval: BURST.checked_div(per_second).unwrap_or(0) }
    }

    fn take(&self, now: Instant) -> bool {
        if self.interval == 0 {
            return true;
        }
        let now = u64::try_from(now.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX);
        let take = |due: u64| {
            let next = due.max(now).saturating_add(self.interval);
            (next <= now.saturating_add(BURST)).then_some(next)
        };
        self.due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn new_traces_are_bounded_in_number() {
        let tracer = Tracer::new(1.0, 10);
        let sampled = |tracer: &Tracer| (0..100).filter(|_| tracer.begin(Instant::now()).own.sampled).count();
        assert_eq!(sampled(&tracer), 10);
        assert_eq!(sampled(&tracer), 0);
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(sampled(&tracer), 3);
        assert_eq!(sampled(&Tracer::new(1.0, 0)), 100, "no limit");
        assert_eq!(sampled(&Tracer::new(0.0, 0)), 0);
        let some = sampled(&Tracer::new(0.5, 0));
        assert!((20..80).contains(&some), "{some}");
    }

    #[tokio::test]
    async fn what_was_begun_elsewhere_is_sampled_as_it_is_there() {
        let tracer = Tracer::new(1.0, 0);
        for sampled in [true, false] {
            let sender = TraceContext::root(sampled);
            let mut properties = Properties::default();
            properties.headers.set("traceparent", &*sender.header());
            let trace = tracer.receive(Instant::now(), &properties, false).unwrap();
            assert_eq!((trace.own.trace_id, trace.own.sampled), (sender.trace_id, sampled));
            assert_eq!(trace.parent, Some(sender.span_id));
        }
        assert_eq!(Tracer::new(0.0, 0).receive(Instant::now(), &Properties::default(), false), None);
    }
}
