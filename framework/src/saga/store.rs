//! Where the sagas of one process are kept, and which there are.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;

use super::{
    HostedSaga, Instance, MemoryLog, SagaFilter, SagaId, SagaLog, SagaRefusal, SagaStatus,
    asking::{self, Ask},
};
use crate::{
    Result,
    config::Settings,
    dependency::{Dependency, Scope, SetupContext},
    features::SAGA_LOGS,
    protocol::Value,
};

const DEFAULT_LOG: &str = "memory://";
const DEFAULT_LEASE: Duration = Duration::from_secs(10);
const DEFAULT_KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long something is so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// A saga is one process's own, without a sign of life of it.
    pub(crate) lease: Duration,
    /// One that is over is kept.
    pub(crate) keep: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { lease: DEFAULT_LEASE, keep: DEFAULT_KEEP }
    }
}

/// The log of one process's sagas, what may be asked of those in it, and all the sagas that its services host: for operations. One for
/// all services of an [`App`](crate::App); it reads the settings `saga.log`, `saga.lease` and `saga.keep`.
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
///         let parked = self.sagas.list(&SagaFilter::state(SagaState::Parked)).await?;
///         Ok(parked.into_iter().map(|parked| parked.id.to_string()).collect())
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
    terms: Terms,
    hosted: Mutex<Vec<HostedSaga>>,
}

impl SagaStore {
    /// A store over a log of your own, with leases of 10 s, that keeps what is over for 30 days: for a test, in place of the one that the
    /// settings say.
    pub fn new(log: Arc<dyn SagaLog>) -> Self {
        Self::with(log, Terms::default())
    }

    /// The same log with leases of this length: for a test in which processes end, and others are to go on soon.
    pub fn with_lease(self, lease: Duration) -> Self {
        Self::with(self.0.log.clone(), Terms { lease, ..self.0.terms })
    }

    fn with(log: Arc<dyn SagaLog>, terms: Terms) -> Self {
        Self(Arc::new(Inner { log, terms, hosted: Mutex::default() }))
    }

    /// The log.
    pub fn log(&self) -> &Arc<dyn SagaLog> {
        &self.0.log
    }

    /// The sagas that the services of this process host, in the order in which they were set up.
    pub fn hosted(&self) -> Vec<HostedSaga> {
        self.0.hosted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sagas in the log that a filter lets through, those of other services and processes included, the last started first.
    ///
    /// # Errors
    ///
    /// When the log fails.
    pub async fn list(&self, filter: &SagaFilter) -> Result<Vec<Instance>> {
        self.0.log.list(filter).await
    }

    /// One saga in the log with its timeline, whoever hosts it; `None`: there is none of this id.
    ///
    /// # Errors
    ///
    /// When the log fails.
    pub async fn status(&self, id: &SagaId) -> Result<Option<SagaStatus>> {
        asking::status(&*self.0.log, id).await
    }

    /// As [`HostedSaga::cancel`], of any saga in the log: whichever process hosts it does it.
    ///
    /// # Errors
    ///
    /// As that one.
    pub async fn cancel(&self, id: &SagaId) -> Result<(), SagaRefusal> {
        self.ask(id, Ask::Cancel).await
    }

    /// As [`HostedSaga::retry`], of any saga in the log: whichever process hosts it does it.
    ///
    /// # Errors
    ///
    /// As that one.
    pub async fn retry(&self, id: &SagaId) -> Result<(), SagaRefusal> {
        self.ask(id, Ask::Retry).await
    }

    /// As [`HostedSaga::skip`], of any saga in the log: whichever process hosts it does it.
    ///
    /// # Errors
    ///
    /// As that one.
    pub async fn skip(&self, id: &SagaId) -> Result<(), SagaRefusal> {
        self.ask(id, Ask::Skip).await
    }

    pub(crate) async fn ask(&self, id: &SagaId, ask: Ask) -> Result<(), SagaRefusal> {
        let instance = asking::find(&*self.0.log, id).await?;
        ask.check(&instance)?;
        // Whoever hosts it here is woken at once.
        let is_its = |hosted: &HostedSaga| hosted.info().name == id.saga && hosted.service() == instance.service;
        if let Some(hosted) = self.hosted().into_iter().find(is_its) {
            return hosted.send(&id.id, ask.signal(), Value::Null).await;
        }
        asking::sent(&id.id, self.0.log.signal(id, ask.signal(), Value::Null).await)
    }

    pub(super) fn terms(&self) -> Terms {
        self.0.terms
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
        let keep = settings.duration("saga.keep", DEFAULT_KEEP)?;
        if keep < lease {
            let text =
                "whoever waits for a saga's end may take a lease to notice it: write at least what `saga.lease` says";
            return Err(settings.refuse("saga.keep", text));
        }
        let url = match settings.get::<String>("saga.log")? {
            Some(url) => url,
            None => {
                tracing::warn!(
                    "sagas are kept in memory and end with this process: name a database in `saga.log`, or say `memory://` there"
                );
                DEFAULT_LOG.to_owned()
            }
        };
        Ok(Self::with(open(cx, settings, &url).await?, Terms { lease, keep }))
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
            .field("terms", &self.0.terms)
            .field("hosted", &self.hosted())
            .finish_non_exhaustive()
    }
}
