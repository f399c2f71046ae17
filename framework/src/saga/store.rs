//! Where the sagas of one process are kept, and which there are.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;

use super::{HostedSaga, MemoryLog, SagaLog};
use crate::{
    Result,
    config::Settings,
    dependency::{Dependency, Scope, SetupContext},
    features::SAGA_LOGS,
};

const DEFAULT_LOG: &str = "memory://";
const DEFAULT_LEASE: Duration = Duration::from_secs(10);

/// The log of one process's sagas, and all the sagas that its services host: for operations. One for all services of an
/// [`App`](crate::App); it reads the settings `saga.log` and `saga.lease`.
///
/// # Examples
///
/// ```
/// use kinoko::{prelude::*, saga::{SagaFilter, SagaState, SagaStore}};
///
/// #[derive(Dependencies)]
/// struct Operations {
///     sagas: SagaStore,
/// }
///
/// #[service(name = "operations")]
/// impl Operations {
///     /// What needs somebody.
///     #[rpc]
///     async fn parked(&self) -> kinoko::Result<Vec<String>> {
///         let mut ids = Vec::new();
///         for saga in self.sagas.hosted() {
///             ids.extend(saga.parked().await?.into_iter().map(|parked| parked.id.to_string()));
///         }
///         Ok(ids)
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// # let app = App::new().service::<Operations>().start().await?;
/// # assert!(app.client::<OperationsClient>().parked().await?.is_empty());
/// # app.stop().await }
/// ```
#[derive(Clone)]
pub struct SagaStore(Arc<Inner>);

struct Inner {
    log: Arc<dyn SagaLog>,
    lease: Duration,
    hosted: Mutex<Vec<HostedSaga>>,
}

impl SagaStore {
    /// A store over a log of your own, with leases of 10 s: for a test, in place of the one that the settings say.
    pub fn new(log: Arc<dyn SagaLog>) -> Self {
        Self::with(log, DEFAULT_LEASE)
    }

    /// The same log with leases of this length: for a test in which processes end, and others are to go on soon.
    pub fn with_lease(self, lease: Duration) -> Self {
        Self::with(self.0.log.clone(), lease)
    }

    fn with(log: Arc<dyn SagaLog>, lease: Duration) -> Self {
        Self(Arc::new(Inner { log, lease, hosted: Mutex::default() }))
    }

    /// The log.
    pub fn log(&self) -> &Arc<dyn SagaLog> {
        &self.0.log
    }

    /// The sagas that the services of this process host, in the order in which they were set up.
    pub fn hosted(&self) -> Vec<HostedSaga> {
        self.0.hosted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn lease(&self) -> Duration {
        self.0.lease
    }

    pub(super) fn add(&self, hosted: HostedSaga) {
        self.0.hosted.lock().unwrap_or_else(PoisonError::into_inner).push(hosted);
    }
}

impl Dependency for SagaStore {
    type Options = ();
    const SCOPE: Scope = Scope::Process;

    async fn setup(cx: &SetupContext, (): ()) -> Result<Self> {
        let settings = cx.settings();
        let lease = settings.duration("saga.lease", DEFAULT_LEASE)?;
        if lease < Duration::from_secs(1) {
            return Err(settings.refuse("saga.lease", "a lease is renewed while a step runs: write at least `1s`"));
        }
        let url = settings.get::<String>("saga.log")?.unwrap_or_else(|| DEFAULT_LOG.to_owned());
        Ok(Self::with(open(cx, settings, &url).await?, lease))
    }
}

/// The log of this URL.
async fn open(cx: &SetupContext, settings: &Settings, url: &str) -> Result<Arc<dyn SagaLog>> {
    match url.strip_prefix("memory://") {
        Some("") => return Ok(Arc::new(MemoryLog::new())),
        Some(name) => return Ok(MemoryLog::named(name)),
        None => {}
    }
    for kind in SAGA_LOGS {
        if url.split_once(':').is_some_and(|(scheme, _)| kind.schemes.contains(&scheme)) {
            return (kind.open)(cx, url).await;
        }
    }
    let known: Vec<_> =
        SAGA_LOGS.iter().flat_map(|kind| kind.schemes).map(|scheme| format!(", `{scheme}:…`")).collect();
    let text = format!("no log of sagas is opened by such a URL: write `memory://`{}", known.concat());
    Err(settings.refuse("saga.log", text))
}

/// A kind of log that a feature adds.
#[cfg_attr(not(feature = "sql"), allow(dead_code, reason = "made by the features that add one"))]
pub(crate) struct SagaLogKind {
    /// What its URLs begin with, before the colon.
    pub(crate) schemes: &'static [&'static str],
    /// Opens one.
    pub(crate) open: for<'a> fn(&'a SetupContext, &'a str) -> BoxFuture<'a, Opened>,
}

/// What became of opening a log.
pub(crate) type Opened = Result<Arc<dyn SagaLog>>;

impl fmt::Debug for SagaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaStore")
            .field("lease", &self.0.lease)
            .field("hosted", &self.hosted())
            .finish_non_exhaustive()
    }
}
