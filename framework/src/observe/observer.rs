use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use super::{
    Calls, Entrypoint, EntrypointKind, Published, Recent, Snapshot, Tracer,
    histogram::{default_bounds, nanoseconds},
};
use crate::{Result, config::Settings, protocol::Name, transport::ConnectionState};

/// What the settings say of seeing.
#[derive(Debug, Clone)]
pub(crate) struct ObserverSettings {
    bounds: Arc<[u64]>,
    sample: f64,
    per_second: u64,
    kept: usize,
}

impl Default for ObserverSettings {
    fn default() -> Self {
        Self { bounds: default_bounds(), sample: 1.0, per_second: 100, kept: 2_000 }
    }
}

/// No more buckets than a scrape has use for.
const MOST_BUCKETS: usize = 100;
const MOST_KEPT: usize = 100_000;

impl ObserverSettings {
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let defaults = Self::default();
        let sample = settings.get("traces.sample")?.unwrap_or(defaults.sample);
        if !(0.0..=1.0).contains(&sample) {
            return Err(settings.refuse("traces.sample", "a share is from 0 (nothing is traced) to 1 (everything)"));
        }
        let kept = settings.get("traces.kept")?.unwrap_or(defaults.kept);
        if kept > MOST_KEPT {
            return Err(settings.refuse("traces.kept", format!("{kept} is too many; the most is {MOST_KEPT}")));
        }
        Ok(Self {
            bounds: own_bounds(settings)?.unwrap_or(defaults.bounds),
            sample,
            per_second: settings.get("traces.limit")?.unwrap_or(defaults.per_second),
            kept,
        })
    }
}

/// The buckets of histograms, in seconds.
fn own_bounds(settings: &Settings) -> Result<Option<Arc<[u64]>>> {
    let seconds: Option<Vec<f64>> = settings.get("metrics.buckets")?;
    let Some(seconds) = seconds else { return Ok(None) };
    bounds(&seconds).map(Some).map_err(|text| settings.refuse("metrics.buckets", text))
}

/// The upper bounds of buckets, from seconds to nanoseconds.
///
/// # Errors
///
/// What is wrong with them.
pub(crate) fn bounds(seconds: &[f64]) -> Result<Arc<[u64]>, String> {
    if seconds.is_empty() || seconds.len() > MOST_BUCKETS {
        return Err("a histogram has 1 to 100 buckets".to_owned());
    }
    if !seconds.iter().all(|bound| (1e-9..1e9).contains(bound)) {
        return Err("the bound of a bucket is greater than 0 and less than a billion".to_owned());
    }
    let bounds: Arc<[u64]> = seconds.iter().map(|bound| nanoseconds(*bound)).collect();
    if bounds.is_sorted_by(|one, next| one < next) { Ok(bounds) } else { Err("the bounds have to ascend".to_owned()) }
}

/// What one program sees of itself.
pub(crate) struct Observer {
    /// The program's first service, for what is done outside any worker.
    owner: &'static str,
    bounds: Arc<[u64]>,
    tracer: Arc<Tracer>,
    recent: Arc<Recent>,
    entrypoints: Mutex<Vec<Arc<Entrypoint>>>,
    tallies: Mutex<Vec<Arc<Tally>>>,
    other_calls: OnceLock<Arc<Calls>>,
    calls: Mutex<BTreeMap<(Name, Name), Arc<Calls>>>,
    pub(crate) published: Published,
    /// How often the connection to the broker was lost and is there again.
    pub(crate) reconnects: AtomicU64,
}

/// A counter of what a feature does.
pub(crate) struct Tally {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) count: AtomicU64,
}

impl Tally {
    #[cfg_attr(
        not(any(feature = "saga", feature = "sql")),
        allow(dead_code, reason = "only what a feature adds counts")
    )]
    pub(crate) fn add(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }
}

/// What undeclared names are counted under, so that whoever sends them cannot make labels.
const OTHER: Name = Name::from_static("other");

impl Observer {
    pub(crate) fn new(settings: &ObserverSettings, owner: &'static str) -> Arc<Self> {
        let tracer = Arc::new(Tracer::new(settings.sample, settings.per_second));
        Arc::new(Self {
            owner,
            bounds: settings.bounds.clone(),
            tracer,
            recent: Arc::new(Recent::new(settings.kept)),
            entrypoints: Mutex::default(),
            tallies: Mutex::default(),
            other_calls: OnceLock::new(),
            calls: Mutex::default(),
            published: Published::default(),
            reconnects: AtomicU64::new(0),
        })
    }

    /// A counter of what a feature does.
    #[cfg_attr(
        not(any(feature = "saga", feature = "sql")),
        allow(dead_code, reason = "only what a feature adds counts")
    )]
    pub(crate) fn tally(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Arc<Tally> {
        let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tallies.iter().find(|known| known.name == name && known.labels == labels) {
            return known.clone();
        }
        let tally = Arc::new(Tally { name, help, labels, count: AtomicU64::new(0) });
        tallies.push(tally.clone());
        tally
    }

    /// The counters of features.
    #[cfg(feature = "metrics")]
    pub(crate) fn tallies(&self) -> Vec<Arc<Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For what nobody looks at: a client of its own, a test. Traces are only passed on.
    pub(crate) fn off() -> Arc<Self> {
        Self::new(&ObserverSettings { sample: 0.0, kept: 0, ..ObserverSettings::default() }, "")
    }

    /// The counters of the calls of everything that no client declares.
    pub(crate) fn other_calls(&self) -> &Arc<Calls> {
        self.other_calls.get_or_init(|| self.calls(&OTHER, &OTHER))
    }

    pub(crate) fn owner(&self) -> &'static str {
        self.owner
    }

    pub(crate) fn tracer(&self) -> &Arc<Tracer> {
        &self.tracer
    }

    pub(crate) fn recent(&self) -> &Arc<Recent> {
        &self.recent
    }

    pub(crate) fn bounds(&self) -> &Arc<[u64]> {
        &self.bounds
    }

    fn entrypoints(&self) -> MutexGuard<'_, Vec<Arc<Entrypoint>>> {
        self.entrypoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls_made(&self) -> MutexGuard<'_, BTreeMap<(Name, Name), Arc<Calls>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters of a method under what fires it; the same ones for the same three. `route` is what HTTP knows it by.
    pub(crate) fn entrypoint(
        &self,
        service: &'static str,
        method: &'static str,
        kind: EntrypointKind,
        route: Option<(&'static str, &'static str)>,
    ) -> Arc<Entrypoint> {
        let mut entrypoints = self.entrypoints();
        let known = entrypoints.iter().find(|known| {
            known.service == service && known.method == method && known.kind == kind && known.route == route
        });
        if let Some(known) = known {
            return known.clone();
        }
        let seen = (&self.tracer, &self.recent);
        let entrypoint = Arc::new(Entrypoint::new((service, method, kind), route, &self.bounds, seen));
        entrypoints.push(entrypoint.clone());
        entrypoint
    }

    /// The counters of the calls of a method.
    pub(crate) fn calls(&self, service: &Name, method: &Name) -> Arc<Calls> {
        let mut calls = self.calls_made();
        let new = || Arc::new(Calls::new(service.clone(), method.clone(), &self.bounds));
        calls.entry((service.clone(), method.clone())).or_insert_with(new).clone()
    }

    /// Counts how often the connection comes back, until it is closed.
    pub(crate) async fn watch_connection(self: Arc<Self>, mut state: watch::Receiver<ConnectionState>) {
        let is_there =
            |state: &ConnectionState| matches!(state, ConnectionState::Connected | ConnectionState::Blocked(_));
        let (mut was_there, mut was_lost) = (false, false);
        loop {
            let (there, closed) = {
                let state = state.borrow_and_update();
                (is_there(&state), matches!(*state, ConnectionState::Closed))
            };
            if there && std::mem::take(&mut was_lost) {
                self.reconnects.fetch_add(1, Ordering::Relaxed);
            }
            // The first connection is none that comes back.
            was_lost |= !there && was_there;
            was_there |= there;
            if closed || state.changed().await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            entrypoints: self.entrypoints().iter().map(|entrypoint| entrypoint.snapshot()).collect(),
            calls: self.calls_made().values().map(|calls| calls.snapshot()).collect(),
            published_confirmed: load(&self.published.confirmed),
            published_unrouted: load(&self.published.unrouted),
            published_failed: load(&self.published.failed),
            reconnects: load(&self.reconnects),
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("entrypoints", &self.entrypoints().len()).finish_non_exhaustive()
    }
}
