use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{Ended, EntrypointSnapshot, Failure, Histogram, Recent, Tracer, Watch};

/// The last worker counts so much of what is usual, as one of so many.
const SHARE: u64 = 8;

/// What fires a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntrypointKind {
    Rpc,
    Event,
    Consume,
    Timer,
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds has it"))]
    Http,
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds has it"))]
    Websocket,
    #[cfg_attr(not(feature = "grpc"), allow(dead_code, reason = "only what a feature adds has it"))]
    Grpc,
    #[cfg_attr(not(feature = "saga"), allow(dead_code, reason = "only what a feature adds has it"))]
    Saga,
}

impl EntrypointKind {
    /// As labels and log lines have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rpc => "rpc",
            Self::Event => "event",
            Self::Consume => "consume",
            Self::Timer => "timer",
            Self::Http => "http",
            Self::Websocket => "websocket",
            Self::Grpc => "grpc",
            Self::Saga => "saga",
        }
    }
}

/// One method under what fires it: what its workers came to.
pub(crate) struct Entrypoint {
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) kind: EntrypointKind,
    /// What the world calls it, where that is not its method: of HTTP `GET /orders/{id}`, of gRPC `inventory.v1.Inventory/CheckStock`.
    pub(crate) route: Option<(&'static str, &'static str)>,
    pub(super) ended: [AtomicU64; Ended::ALL.len()],
    pub(super) duration: Histogram,
    pub(super) queue_wait: Histogram,
    /// How long a worker takes that comes to an end, in nanoseconds: of the last ones more than of those before. 0: none has yet.
    usual: AtomicU64,
    /// By how much one usually differs from that.
    deviation: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) redelivered: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) dead_letters: AtomicU64,
    last_failure: Mutex<Option<Arc<Failure>>>,
    pub(super) tracer: Arc<Tracer>,
    recent: Arc<Recent>,
}

impl Entrypoint {
    pub(super) fn new(
        (service, method, kind): (&'static str, &'static str, EntrypointKind),
        route: Option<(&'static str, &'static str)>,
        bounds: &Arc<[u64]>,
        (tracer, recent): (&Arc<Tracer>, &Arc<Recent>),
    ) -> Self {
        Self {
            service,
            method,
            kind,
            route,
            ended: Default::default(),
            duration: Histogram::new(bounds),
            queue_wait: Histogram::new(bounds),
            usual: AtomicU64::new(0),
            deviation: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            redelivered: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            dead_letters: AtomicU64::new(0),
            last_failure: Mutex::default(),
            tracer: tracer.clone(),
            recent: recent.clone(),
        }
    }

    /// What the world calls it, where that is not its method.
    pub(super) fn route(&self) -> Option<String> {
        let separator = if self.kind == EntrypointKind::Grpc { '/' } else { ' ' };
        self.route.map(|(first, second)| format!("{first}{separator}{second}"))
    }

    /// Something that fires it is there; it may have to wait for a worker.
    pub(crate) fn arrived(self: &Arc<Self>) -> Watch {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Watch::new(self.clone(), Instant::now())
    }

    /// A worker came to an end after this time.
    pub(super) fn took(&self, duration: Duration) {
        let took = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1);
        let (usual, deviation) = (self.usual.load(Ordering::Relaxed), self.deviation.load(Ordering::Relaxed));
        let mean = |before: u64, last: u64| before - before / SHARE + last / SHARE;
        // What two workers that end together make of it is near enough.
        self.usual.store(if usual == 0 { took } else { mean(usual, took) }, Ordering::Relaxed);
        let differs = if usual == 0 { 0 } else { usual.abs_diff(took) };
        self.deviation.store(mean(deviation, differs), Ordering::Relaxed);
    }

    /// Whether it is too late to begin: what is left is less than a worker and its answer usually take, and that because it waited longer than
    /// one takes.
    ///
    /// The second half keeps callers with little time from being refused for ever by what was slow once: who did not wait is always run, and
    /// measured.
    pub(crate) fn is_too_late(&self, left: Duration, waited: Duration) -> bool {
        let [usual, deviation] = [&self.usual, &self.deviation].map(|nanos| nanos.load(Ordering::Relaxed));
        // As TCP waits for an answer: what takes just as long as usual would be late as often as not. A quarter is for the way back.
        let needed = usual.saturating_add(usual / 4).saturating_add(deviation.saturating_mul(2));
        let (usual, needed) = (Duration::from_nanos(usual), Duration::from_nanos(needed));
        left < needed && waited >= usual
    }

    /// What fires it was not run, and there is no worker to tell of.
    pub(crate) fn rejected(&self) {
        self.count(Ended::Rejected);
    }

    /// A message is tried again.
    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// A message became a dead letter.
    pub(crate) fn dead_lettered(&self) {
        self.dead_letters.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self, ended: Ended) {
        self.ended[ended as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, failure: Failure) {
        let failure = Arc::new(failure);
        self.recent.add_failure(failure.clone());
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    pub(crate) fn snapshot(&self) -> EntrypointSnapshot {
        let ended = Ended::ALL.map(|ended| (ended.name(), self.ended[ended as usize].load(Ordering::Relaxed)));
        EntrypointSnapshot {
            service: self.service,
            method: self.method,
            kind: self.kind,
            route: self.route,
            route_label: self.route(),
            ended: ended.into_iter().collect(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            redelivered: self.redelivered.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
            duration: self.duration.snapshot(),
            queue_wait: self.queue_wait.snapshot(),
            last_failure: self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).as_deref().cloned(),
        }
    }
}
