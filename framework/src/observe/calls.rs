//! Calls of other services, as they are seen from here.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{CallSnapshot, Ended, Histogram, Span, SpanKind, Trace, Tracer, observer::Observer, span::Subject};
use crate::{context::WorkerContext, protocol::Name};

/// The calls of one method of one service.
pub(crate) struct Calls {
    pub(crate) service: Name,
    pub(crate) method: Name,
    ended: [AtomicU64; Ended::ALL.len()],
    duration: Histogram,
    in_flight: AtomicU64,
}

impl Calls {
    pub(super) fn new(service: Name, method: Name, bounds: &Arc<[u64]>) -> Self {
        let duration = Histogram::new(bounds);
        Self { service, method, ended: Default::default(), duration, in_flight: AtomicU64::new(0) }
    }

    pub(crate) fn snapshot(&self) -> CallSnapshot {
        let ended = Ended::ALL.map(|ended| (ended.name(), self.ended[ended as usize].load(Ordering::Relaxed)));
        CallSnapshot {
            service: self.service.clone(),
            method: self.method.clone(),
            ended: ended.into_iter().collect(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            duration: self.duration.snapshot(),
        }
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("service", &self.service).field("method", &self.method).finish_non_exhaustive()
    }
}

/// One call, from its request to its reply. Dropped before that, it was cancelled.
pub(crate) struct CallWatch {
    calls: Arc<Calls>,
    tracer: Arc<Tracer>,
    trace: Option<Trace>,
    /// The service that calls.
    owner: &'static str,
    /// What the call goes by, as traces name it.
    system: &'static str,
    began: Instant,
    over: bool,
}

impl CallWatch {
    pub(crate) fn new(calls: Arc<Calls>, observer: &Observer, caller: Option<&WorkerContext>, began: Instant) -> Self {
        calls.in_flight.fetch_add(1, Ordering::Relaxed);
        let tracer = observer.tracer().clone();
        let trace = tracer.within(began, caller.and_then(WorkerContext::trace));
        let owner = caller.map_or(observer.owner(), WorkerContext::service);
        Self { calls, tracer, trace, owner, system: "kinoko", began, over: false }
    }

    /// It goes by something else than RPC.
    #[cfg(feature = "grpc")]
    pub(crate) fn by(mut self, system: &'static str) -> Self {
        self.system = system;
        self
    }

    /// Its own place in the trace, which whoever is called finds itself inside.
    pub(crate) fn trace(&self) -> Option<Trace> {
        self.trace
    }

    /// It is over. The names are those of the call, which its counters may not have.
    pub(crate) fn end(&mut self, ended: Ended, service: &Name, method: &Name) {
        self.over = true;
        let duration = self.began.elapsed();
        self.count(ended, duration);
        if let Some(trace) = self.trace.filter(|trace| trace.own.sampled) {
            self.tracer.record(Span {
                owner: self.owner,
                context: trace.own,
                parent: trace.parent,
                kind: SpanKind::Client,
                subject: Subject::Call { system: self.system, service: service.clone(), method: method.clone() },
                ended,
                error: None,
                started: SystemTime::now().checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH),
                duration,
                links: Vec::new(),
            });
        }
    }

    fn count(&self, ended: Ended, duration: Duration) {
        self.calls.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.calls.ended[ended as usize].fetch_add(1, Ordering::Relaxed);
        self.calls.duration.observe(duration, self.trace.map(|trace| trace.own));
    }
}

impl Drop for CallWatch {
    fn drop(&mut self) {
        if !self.over {
            self.count(Ended::Cancelled, self.began.elapsed());
        }
    }
}
