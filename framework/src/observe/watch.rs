use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    Ended, Entrypoint, EntrypointKind, Failure, Span, SpanKind, Trace, TraceContext,
    span::{Delivered, Subject},
};
use crate::{
    context::WorkerContext,
    protocol::{Fault, Properties, excerpt},
    service::Outcome,
};

/// One worker, from the arrival of what fires it to its end. Dropped before that, it was cancelled.
pub(crate) struct Watch {
    entrypoint: Arc<Entrypoint>,
    arrived: Instant,
    /// How long it waited for its slot; none: it did not have to.
    waited: Duration,
    over: bool,
}

impl Watch {
    pub(super) fn new(entrypoint: Arc<Entrypoint>, arrived: Instant) -> Self {
        Self { entrypoint, arrived, waited: Duration::ZERO, over: false }
    }

    /// When what fires it was there.
    #[cfg(feature = "http")]
    pub(crate) fn arrived(&self) -> Instant {
        self.arrived
    }

    /// The trace that its worker belongs to, by what its message says.
    pub(crate) fn trace(&self, properties: &Properties, short_path: bool) -> Option<Trace> {
        self.entrypoint.tracer.receive(self.arrived, properties, short_path)
    }

    /// It had to wait for its slot, and has it now.
    pub(crate) fn waited(&mut self) {
        self.waited = self.arrived.elapsed();
    }

    /// How long it waited for its slot.
    pub(crate) fn wait(&self) -> Duration {
        self.waited
    }

    /// Whether it is too late to begin, with so much left of its caller's time, after this wait.
    pub(crate) fn is_too_late(&self, left: Duration, waited: Duration) -> bool {
        self.entrypoint.is_too_late(left, waited)
    }

    /// It is over: counts it, and writes its line of the log.
    pub(crate) fn end(self, context: &WorkerContext, outcome: &Outcome) {
        self.end_batch(context, outcome, &[]);
    }

    /// The same, of a worker for several messages, each with a trace of its own.
    pub(crate) fn end_batch(mut self, context: &WorkerContext, outcome: &Outcome, links: &[TraceContext]) {
        self.over = true;
        let (ended, fault) = Ended::of(outcome);
        let (entrypoint, trace) = (&self.entrypoint, context.trace());
        let duration = self.arrived.elapsed().saturating_sub(self.waited);
        entrypoint.in_flight.fetch_sub(1, Ordering::Relaxed);
        entrypoint.count(ended);
        entrypoint.queue_wait.observe(self.waited, None);
        entrypoint.duration.observe(duration, trace.map(|trace| trace.own));
        if matches!(ended, Ended::Ok | Ended::ExpectedError) {
            entrypoint.took(duration);
        }
        if context.redelivered() {
            entrypoint.redelivered.fetch_add(1, Ordering::Relaxed);
        }
        self.tell(context, outcome, (ended, fault), duration);
        if ended.is_failure() {
            let text = fault.map_or_else(|| "it took longer than it may".to_owned(), excerpt);
            entrypoint.failed(Failure {
                at: SystemTime::now(),
                service: entrypoint.service,
                method: entrypoint.method,
                kind: entrypoint.kind,
                outcome: ended,
                call_id: context.call_id().to_owned(),
                trace_id: trace.filter(|trace| trace.own.sampled).map(|trace| trace.own.trace_id()),
                text,
            });
        }
        if let Some(trace) = trace.filter(|trace| trace.own.sampled) {
            entrypoint.tracer.record(Span {
                owner: entrypoint.service,
                context: trace.own,
                parent: trace.parent,
                kind: match entrypoint.kind {
                    EntrypointKind::Rpc | EntrypointKind::Http | EntrypointKind::Websocket | EntrypointKind::Grpc => {
                        SpanKind::Server
                    }
                    EntrypointKind::Event | EntrypointKind::Consume => SpanKind::Consumer,
                    EntrypointKind::Timer | EntrypointKind::Saga => SpanKind::Internal,
                },
                subject: Subject::Worker {
                    entrypoint: entrypoint.clone(),
                    message: matches!(entrypoint.kind, EntrypointKind::Event | EntrypointKind::Consume)
                        .then(|| Delivered::of(context.message())),
                    call_id: context.call_id().to_owned(),
                    attempt: context.attempt(),
                    waited: self.waited,
                    status: (entrypoint.kind == EntrypointKind::Http).then(|| status(outcome)),
                },
                ended,
                error: fault.map(|fault| fault.code.clone().unwrap_or_else(|| fault.exc_type.clone())),
                started: SystemTime::now().checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH),
                duration,
                links: links.to_vec(),
            });
        }
    }

    /// The line of the log: one for each worker.
    fn tell(
        &self,
        context: &WorkerContext,
        outcome: &Outcome,
        (ended, fault): (Ended, Option<&Fault>),
        duration: Duration,
    ) {
        /// The same fields at every level; only what is enabled is made.
        macro_rules! line {
            ($level:ident, $text:literal $(, $name:ident = $value:expr)*) => {
                tracing::$level!(
                    target: "kinoko::worker",
                    service = self.entrypoint.service,
                    method = self.entrypoint.method,
                    entrypoint = self.entrypoint.kind.name(),
                    call_id = context.call_id(),
                    outcome = ended.name(),
                    duration_ms = milliseconds(duration),
                    waited_ms = (!self.waited.is_zero()).then(|| milliseconds(self.waited)),
                    attempt = context.attempt(),
                    trace_id = context.trace().filter(|trace| trace.own.sampled).map(|trace| trace.own.trace_id()),
                    $($name = $value,)*
                    $text
                )
            };
        }
        match (ended, fault) {
            (Ended::Ok, _) => line!(info, "worker done"),
            (Ended::ExpectedError, fault) => {
                line!(warn, "worker failed as expected", error = fault.map(excerpt))
            }
            (Ended::Rejected, fault) => {
                line!(warn, "worker not run", error = fault.map(excerpt))
            }
            (Ended::UnexpectedError, fault) => line!(
                error,
                "worker failed",
                error = fault.map(excerpt),
                caused_by = fault.and_then(|fault| fault.causes.as_deref())
            ),
            (Ended::Timeout, Some(fault)) => line!(error, "worker timed out", error = excerpt(fault)),
            // The limit was the caller's, who waits no longer.
            (Ended::Timeout | Ended::Cancelled, _) => line!(warn, "worker dropped", reason = reason(outcome)),
        }
    }
}

fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Cancelled(reason) => Some(reason.to_string()),
        _ => None,
    }
}

/// What a request was answered with.
fn status(outcome: &Outcome) -> u16 {
    match outcome {
        Outcome::Response(response) => response.status().unwrap_or(200),
        Outcome::Fault { fault, .. } => fault.http.unwrap_or(500),
        _ => 500,
    }
}

/// To the microsecond: what is beneath is noise.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.over {
            self.entrypoint.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.entrypoint.count(Ended::Cancelled);
        }
    }
}
