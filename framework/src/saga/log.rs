//! Where sagas are kept: the trait that a log implements.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::Map;

use super::{Happened, Instance, Progress, SagaId, SagaState, Signal, TimelineEntry};
use crate::{Error, Result, protocol::Value};

/// A log of sagas: it keeps them, and says who may run which. Implement it for a store of your own.
///
/// A log decides nothing: the runner says what a saga's state is from now on, and the log keeps it, if the runner still holds the saga.
/// Each call is one atomic change, and is done when it returns: what it changed survives the end of the process, where the store does.
///
/// # Leases
///
/// Whoever [`start`](Self::start)s or [`claim`](Self::claim)s a saga holds it for [`Holder::lease`] by the clock of the log, and longer with
/// each [`renew`](Self::renew) and [`append`](Self::append). Each claim counts the saga's *fence* up by one, and whoever comes with a lower
/// fence, or with one that was released, is told [`LogError::LeaseLost`]. A lease that is over and that nobody has claimed since holds
/// still: the fence decides, not the clock.
///
/// # What is due
///
/// A saga can be claimed when it is due and nobody holds it. It is due as long as it is held, so that one whose process ended is claimed
/// when the lease is over; after that as its last [`Transition::then`] says, and from the moment in which a [`signal`](Self::signal)
/// comes that this transition had not [seen](Transition::seen).
///
/// # Times
///
/// Runners and logs need no common clock: all that a runner says is relative, and [`Instance::age`] is the log's.
#[async_trait]
pub trait SagaLog: Send + Sync + 'static {
    /// Puts a new saga into the log, held by `holder` with fence 1, its first transition already begun; or gives the one that has its id.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn start(&self, new: NewSaga, holder: &Holder) -> Result<Started>;

    /// Takes sagas that are due and that nobody holds, those that are due longest first.
    ///
    /// # Errors
    ///
    /// When the store fails; nothing is taken then.
    async fn claim(&self, claim: Claim<'_>, holder: &Holder) -> Result<Vec<Claimed>>;

    /// Appends a transition, and renews or releases the lease with it. Gives how many signals there are.
    ///
    /// One whose [`seq`](Transition::seq) is the one that the saga has already, under this lease, was appended by an earlier try
    /// whose answer was lost: it changes nothing, and is answered as that one was.
    ///
    /// # Errors
    ///
    /// [`LogError::LeaseLost`], and nothing is changed.
    async fn append(&self, lease: &Lease, transition: Transition) -> Result<u64, LogError>;

    /// Holds a saga for another while. Gives how many signals there are.
    ///
    /// # Errors
    ///
    /// [`LogError::LeaseLost`].
    async fn renew(&self, lease: &Lease) -> Result<u64, LogError>;

    /// Keeps a signal, with the next number, and makes the saga due. `false`: there is no such saga.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn signal(&self, id: &SagaId, name: &str, payload: Value) -> Result<bool>;

    /// One saga, with its signals.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn load(&self, id: &SagaId) -> Result<Option<Instance>>;

    /// What happened to one saga, oldest first. Empty: there is no such saga.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn timeline(&self, id: &SagaId) -> Result<Vec<TimelineEntry>>;

    /// The sagas that a filter lets through, those that were started last first. Their signals may be left out.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn list(&self, filter: &SagaFilter) -> Result<Vec<Instance>>;

    /// Removes sagas that are [over](SagaState::is_over) and have rested for so long, with their timelines and signals: those of one name
    /// and service, so many at most. Gives how many were removed.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn forget(&self, of: Claim<'_>, rested: Duration) -> Result<usize>;

    /// What other processes did that a runner of this one may want to know at once: a signal, a saga that was given out of hand. Without
    /// an end, until it is dropped.
    ///
    /// It is there to save time, and may leave anything out: runners look from time to time. The default tells nothing.
    fn news(&self) -> BoxStream<'static, News> {
        stream::pending().boxed()
    }
}

/// What a log tells a runner of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Of this saga.
    Of(SagaId),
    /// Of whatever saga: something may have been missed.
    Any,
}

/// Who holds sagas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// A name that no other runner has.
    pub owner: String,
    /// How long what it takes is its own. The setting `saga.lease`.
    pub lease: Duration,
}

/// A saga that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which saga.
    pub id: SagaId,
    /// Who holds it.
    pub holder: Holder,
    /// The fence that it was taken with.
    pub fence: u64,
}

/// A saga that is to be started.
#[derive(Debug, Clone)]
pub struct NewSaga {
    /// Which it is.
    pub id: SagaId,
    /// The service that hosts it.
    pub service: String,
    /// The version of its definition.
    pub version: u32,
    /// The steps of its definition.
    pub steps: String,
    /// How it stands: as a rule [`SagaState::Running`].
    pub state: SagaState,
    /// What it is started with.
    pub input: Value,
    /// The context of who starts it.
    pub context: Map<String, Value>,
    /// How far it is.
    pub progress: Progress,
    /// What its timeline begins with.
    pub happened: Vec<Happened>,
}

impl NewSaga {
    /// The saga as the log has it, started at this time, in milliseconds since the Unix epoch.
    pub fn into_instance(self, holder: &Holder, started_at_ms: u64) -> Instance {
        Instance {
            id: self.id,
            service: self.service,
            version: self.version,
            steps: self.steps,
            state: self.state,
            input: self.input,
            context: self.context,
            progress: self.progress,
            seq: 0,
            signals: Vec::new(),
            age: Duration::ZERO,
            started_at_ms,
            updated_at_ms: started_at_ms,
            owner: Some(holder.owner.clone()),
        }
    }
}

/// What became of a start.
#[derive(Debug)]
pub enum Started {
    /// It is in the log now, and held.
    New(Box<Claimed>),
    /// There was one of this id already.
    Exists(Box<Instance>),
}

/// Which sagas a runner takes, or removes.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Of this name,
    pub saga: &'a str,
    /// of this service,
    pub service: &'a str,
    /// so many at most.
    pub limit: usize,
}

/// A saga that was taken.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Proves that it is held.
    pub lease: Lease,
    /// How it was when it was taken.
    pub instance: Instance,
}

/// One step forward or back, as one change of the log.
#[derive(Debug, Clone)]
pub struct Transition {
    /// One more than the saga's [`seq`](Instance::seq).
    pub seq: u64,
    /// How it stands from now on.
    pub state: SagaState,
    /// How far it has come, from now on.
    pub progress: Progress,
    /// What the timeline gets, in order.
    pub happened: Vec<Happened>,
    /// How many signals the runner has seen. Where there are more, and the lease is released, the saga is due at once.
    pub seen: u64,
    /// What becomes of the lease.
    pub then: Then,
}

/// What becomes of the lease after a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is renewed: the runner goes on.
    Keep,
    /// It is released, and the saga is due after this time.
    DueIn(Duration),
    /// It is released, and the saga is due when a signal comes.
    Rest,
}

/// Which sagas to list. The default lists all, 100 at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaFilter {
    /// Of this name only.
    pub saga: Option<String>,
    /// Of this service only.
    pub service: Option<String>,
    /// In one of these states only; empty: in any.
    pub states: Vec<SagaState>,
    /// So many at most. Default: 100.
    pub limit: usize,
    /// Without the first so many. Default: none.
    pub offset: usize,
}

impl Default for SagaFilter {
    fn default() -> Self {
        Self { saga: None, service: None, states: Vec::new(), limit: 100, offset: 0 }
    }
}

impl SagaFilter {
    /// Those in this state.
    pub fn state(state: SagaState) -> Self {
        Self { states: vec![state], ..Self::default() }
    }

    /// Whether it lets a saga through, but for limit and offset.
    pub fn lets_through(&self, instance: &Instance) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        is(&self.saga, &instance.id.saga)
            && is(&self.service, &instance.service)
            && (self.states.is_empty() || self.states.contains(&instance.state))
    }
}

/// Why a change of a held saga was not made.
#[derive(Debug)]
pub enum LogError {
    /// Somebody else may hold it by now: whoever is told this stops, and changes nothing any more.
    LeaseLost,
    /// The store fails; whether the change was made is not known. The same may be tried again.
    Failed(Error),
}

impl From<Error> for LogError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl std::fmt::Display for LogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LeaseLost => f.write_str("the lease is lost"),
            Self::Failed(error) => write!(f, "the log failed: {}", error.chain()),
        }
    }
}

impl std::error::Error for LogError {}

/// The number of the last of these signals; 0 where there is none.
pub(super) fn last_number(signals: &[Signal]) -> u64 {
    signals.last().map_or(0, |signal| signal.number)
}
