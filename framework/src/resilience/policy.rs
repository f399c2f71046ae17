//! What goes around a call, composed in one order.

use std::{
    fmt,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::{self, Instant};

use super::{
    PolicyOptions, PolicySettings, Refusal, Refused,
    budget::Budget,
    builder::PolicyBuilder,
    bulkhead::Room,
    circuit_breaker::{Breaker, BreakerState, Forced},
    classify::{Class, Classify},
    rate_limit::Limiter,
    stats::{Outcome, Stats},
};
use crate::{
    Error, ErrorKind, WorkerContext,
    dependency::{Dependency, SetupContext},
    protocol::Name,
};

/// What goes around a call that may fail: timeout, retry, circuit breaker, bulkhead, rate limit. A value; cheap to clone, its clones are one.
///
/// The order, from the outside: the time that the whole may take → retries → bulkhead → circuit breaker → rate limit → the time that one attempt may take →
/// the call. So each attempt takes a place and asks the breaker anew, what waits for a place asks the breaker last, and what is refused counts
/// as no failure.
///
/// A dependency too: `#[dependency(name = "gateway", timeout = "2s", breaker, bulkhead = 20)] gateway: Policy`. What the code says, the section
/// `policies.{name}` of the settings may say otherwise.
///
/// # Cancel safety
///
/// Dropping the future of [`run`](Self::run) at any point gives back what it holds; a call that is dropped counts neither as failed nor as done.
///
/// # Examples
///
/// ```
/// use kinoko::resilience::{CircuitBreaker, Class, Policy, PolicyError, Refusal};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let breaker = CircuitBreaker { min_calls: 2, ..CircuitBreaker::default() };
/// let gateway = Policy::builder("gateway").timeout(Duration::from_secs(2)).breaker(breaker).build()?;
///
/// let down = || async { Err::<(), _>(std::io::Error::other("down")) };
/// for _ in 0..2 {
///     let failed = gateway.run_with(|_| Class::FAILURE, down).await;
///     assert!(matches!(failed, Err(PolicyError::Call(_))));
/// }
/// // From here on it is not tried any more.
/// let Err(PolicyError::Refused(refused)) = gateway.run_with(|_| Class::FAILURE, down).await else { panic!() };
/// assert!(matches!(refused.reason, Refusal::CircuitOpen { .. }));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Policy(Arc<Inner>);

struct Inner {
    name: Name,
    parts: RwLock<Arc<Parts>>,
    stats: Stats,
}

/// What the settings of the moment come to.
struct Parts {
    settings: PolicySettings,
    budget: Arc<Budget>,
    bulkhead: Option<Arc<Room>>,
    breaker: Option<Arc<Breaker>>,
    limiter: Option<Arc<Limiter>>,
}

/// Why a call under a policy came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyError<E> {
    /// The call's own error.
    Call(E),
    /// A part of the policy.
    Refused(Refused),
}

impl Policy {
    /// Begins a policy. Logs, metrics and the board know it by the name.
    pub fn builder(name: impl Into<Name>) -> PolicyBuilder {
        PolicyBuilder::new(name.into())
    }

    /// The settings have been checked.
    pub(super) fn new(name: Name, settings: PolicySettings) -> Self {
        let parts = Parts::new(&name, settings, None);
        Self(Arc::new(Inner { name, parts: RwLock::new(Arc::new(parts)), stats: Stats::default() }))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The settings of the moment.
    pub fn settings(&self) -> PolicySettings {
        self.parts().settings.clone()
    }

    /// Takes other settings, for the calls from now on. A part whose settings stay is not touched: a change of the timeout closes no circuit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), where they make no sense; the old ones stay.
    pub fn configure(&self, settings: PolicySettings) -> crate::Result<()> {
        settings.checked(&self.0.name)?;
        let mut parts = self.0.parts.write().unwrap_or_else(PoisonError::into_inner);
        *parts = Arc::new(Parts::new(&self.0.name, settings, Some(&parts)));
        Ok(())
    }

    /// Whether its circuit lets calls through; `None`: it has no circuit breaker.
    pub fn state(&self) -> Option<BreakerState> {
        self.parts().breaker.as_ref().map(|breaker| breaker.state())
    }

    /// Opens its circuit until [`release`](Self::release): every call is refused. Nothing happens where it has none.
    pub fn force_open(&self) {
        self.force(Some(Forced::Open));
    }

    /// Closes its circuit until [`release`](Self::release): every call goes through, whatever they come to.
    pub fn force_closed(&self) {
        self.force(Some(Forced::Closed));
    }

    /// Leaves its circuit to itself again. It begins closed.
    pub fn release(&self) {
        self.force(None);
    }

    fn force(&self, forced: Option<Forced>) {
        if let Some(breaker) = &self.parts().breaker {
            breaker.force(forced);
        }
    }

    /// Makes a call under the policy, again where it may be repeated. What an error means, it says itself.
    ///
    /// # Errors
    ///
    /// The last attempt's, or why there was none.
    ///
    /// # Cancel safety
    ///
    /// Dropped early it gives back what it holds.
    pub async fn run<T, E, F>(&self, call: impl FnMut() -> F) -> Result<T, PolicyError<E>>
    where
        E: Classify,
        F: Future<Output = Result<T, E>>,
    {
        self.run_with(E::classify, call).await
    }

    /// [`run`](Self::run), for errors that do not say themselves what they mean.
    ///
    /// # Errors
    ///
    /// As those of [`run`](Self::run).
    pub async fn run_with<T, E, F>(
        &self,
        classify: impl Fn(&E) -> Class,
        mut call: impl FnMut() -> F,
    ) -> Result<T, PolicyError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let parts = self.parts();
        let deadline = parts.settings.timeout.map(|timeout| Instant::now() + timeout);
        let Some(retry) = &parts.settings.retry else {
            return self.attempt(&parts, deadline, &classify, call()).await;
        };
        parts.budget.add();
        let mut number = 0;
        loop {
            let error = match self.attempt(&parts, deadline, &classify, call()).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            number += 1;
            let wait = retry.wait(number, error.class(&classify)).filter(|wait| fits(*wait, deadline));
            let Some(wait) = wait.filter(|_| parts.budget.take()) else { return Err(error) };
            self.0.stats.repeated();
            tracing::debug!(policy = &*self.0.name, number, ?wait, "a call is made again");
            time::sleep(wait).await;
        }
    }

    /// One attempt. Nothing is allocated here.
    async fn attempt<T, E>(
        &self,
        parts: &Parts,
        deadline: Option<Instant>,
        classify: &impl Fn(&E) -> Class,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, PolicyError<E>> {
        let _place = match &parts.bulkhead {
            Some(room) => match until(deadline, room.enter()).await {
                Some(Ok(place)) => Some(place),
                Some(Err(_)) | None => return Err(self.refuse(Refusal::BulkheadFull)),
            },
            None => None,
        };
        let began = Instant::now();
        let trial = match parts.breaker.as_ref().map(|breaker| breaker.enter(began)).transpose() {
            Ok(trial) => trial,
            Err(open) => return Err(self.refuse(Refusal::CircuitOpen { retry_after: open.retry_after })),
        };
        if let Some(Err(too_many)) = parts.limiter.as_ref().map(|limiter| limiter.enter()) {
            return Err(self.refuse(Refusal::RateLimited { retry_after: too_many.retry_after }));
        }
        let own = parts.settings.attempt_timeout.map(|timeout| began + timeout);
        let limit = match (own, deadline) {
            (Some(own), Some(deadline)) => Some(own.min(deadline)),
            (own, deadline) => own.or(deadline),
        };
        let watch = self.0.stats.begin();
        let Some(ended) = until(limit, call).await else {
            watch.end(Outcome::Timeout, began);
            if let Some(trial) = trial {
                trial.end(true);
            }
            let after = limit.map_or(Duration::ZERO, |limit| limit - began);
            return Err(self.refused(Refusal::Timeout { after }));
        };
        let failed = ended.as_ref().err().map(classify).is_some_and(|class| class.failure);
        watch.end(if failed { Outcome::Failure } else { Outcome::Success }, began);
        if let Some(trial) = trial {
            trial.end(failed);
        }
        ended.map_err(PolicyError::Call)
    }

    #[cold]
    fn refuse<E>(&self, reason: Refusal) -> PolicyError<E> {
        self.0.stats.refused(reason);
        self.refused(reason)
    }

    fn refused<E>(&self, reason: Refusal) -> PolicyError<E> {
        PolicyError::Refused(Refused { policy: self.0.name.clone(), reason })
    }

    fn parts(&self) -> Arc<Parts> {
        self.0.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Dependency for Policy {
    type Options = PolicyOptions;

    async fn setup(cx: &SetupContext, options: PolicyOptions) -> crate::Result<Self> {
        let Some(name) = options.name else {
            let text = "a `Policy` field needs a name: `#[dependency(name = \"gateway\", timeout = \"2s\")]`";
            return Err(Error::new(ErrorKind::Config, text));
        };
        cx.policies().get(cx.service(), &name, options.settings)
    }
}

impl Parts {
    /// Of the present parts those are kept whose settings stay.
    fn new(name: &str, settings: PolicySettings, present: Option<&Self>) -> Self {
        let share = settings.retry.as_ref().map_or(0.0, |retry| retry.budget);
        let budget = present
            .filter(|present| present.settings.retry.as_ref().is_some_and(|retry| retry.budget == share))
            .map_or_else(|| Arc::new(Budget::new(share)), |present| present.budget.clone());
        let bulkhead = settings.bulkhead.as_ref().map(|wanted| {
            let kept = present.and_then(|present| present.bulkhead.clone()).filter(|room| room.settings() == wanted);
            kept.unwrap_or_else(|| Arc::new(Room::new(wanted.clone())))
        });
        let breaker = settings.breaker.as_ref().map(|wanted| {
            let Some(kept) = present.and_then(|present| present.breaker.clone()) else {
                return Arc::new(Breaker::new(name, wanted.clone()));
            };
            if kept.settings() != *wanted {
                kept.configure(wanted.clone());
            }
            kept
        });
        let limiter = settings.rate_limit.as_ref().map(|wanted| {
            let kept = present.and_then(|present| present.limiter.clone()).filter(|kept| kept.settings() == wanted);
            kept.unwrap_or_else(|| Arc::new(Limiter::new(wanted.clone())))
        });
        Self { settings, budget, bulkhead, breaker, limiter }
    }
}

/// Waits until then at most.
async fn until<T>(limit: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => time::timeout_at(limit, future).await.ok(),
        None => Some(future.await),
    }
}

/// Whether there is time left after a wait: of the policy's own, and of the worker's that calls.
fn fits(wait: Duration, deadline: Option<Instant>) -> bool {
    let worker = WorkerContext::current().and_then(|context| context.deadline());
    let then = Instant::now() + wait;
    [deadline, worker].into_iter().flatten().all(|end| then < end)
}

impl<E> PolicyError<E> {
    fn class(&self, classify: &impl Fn(&E) -> Class) -> Class {
        match self {
            Self::Call(error) => classify(error),
            // It may have run.
            Self::Refused(Refused { reason: Refusal::Timeout { .. }, .. }) => Class::FAILURE,
            // One's own policy says no for a while: to ask it again and again is no use.
            Self::Refused(_) => Class::ANSWER,
        }
    }
}

impl<E: fmt::Display> fmt::Display for PolicyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for PolicyError<E> {}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("name", &self.0.name).field("state", &self.state()).finish_non_exhaustive()
    }
}
