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
    bulkhead::{BulkheadSight, Room},
    circuit_breaker::{Breaker, BreakerState, CircuitSight, Forced},
    classify::{Class, Classify},
    overrides::section,
    pass::{Judgement, Pass},
    rate_limit::Limiter,
    stats::{Stats, StatsSnapshot},
};
use crate::{
    Error, ErrorKind, SettingInfo, WorkerContext,
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
///     assert!(matches!(failed, Err(PolicyError::Failed(_))));
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
    stats: Arc<Stats>,
    /// Whether what is called under it is written to be done again.
    repeats: bool,
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
    Failed(E),
    /// A part of the policy.
    Refused(Refused),
}

impl Policy {
    /// Begins a policy. Logs, metrics and the board know it by the name.
    pub fn builder(name: impl Into<Name>) -> PolicyBuilder {
        PolicyBuilder::new(name.into())
    }

    /// The settings have been checked.
    pub(super) fn new(name: Name, settings: PolicySettings, repeats: bool) -> Self {
        let parts = Parts::new(&name, settings, None);
        Self(Arc::new(Inner { name, parts: RwLock::new(Arc::new(parts)), stats: Arc::default(), repeats }))
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
        if settings.retry.is_some() && !self.0.repeats {
            let text = "its method is not written to be done again: write `retry` in its `#[policy(…)]` too";
            return Err(Error::new(ErrorKind::Config, format!("policy `{}`: {text}", self.0.name)));
        }
        let mut parts = self.0.parts.write().unwrap_or_else(PoisonError::into_inner);
        *parts = Arc::new(Parts::new(&self.0.name, settings, Some(&parts)));
        Ok(())
    }

    /// Whether its circuit lets calls through; `None`: it has no circuit breaker.
    pub fn state(&self) -> Option<BreakerState> {
        self.parts().breaker.as_ref().map(|breaker| breaker.state())
    }

    /// What it is like at the moment.
    pub(super) fn look(&self) -> (PolicySettings, Option<CircuitSight>, Option<BulkheadSight>, StatsSnapshot) {
        let parts = self.parts();
        let circuit = parts.breaker.as_ref().map(|breaker| breaker.look());
        let bulkhead = parts.bulkhead.as_ref().map(|room| room.look());
        (parts.settings.clone(), circuit, bulkhead, self.0.stats.snapshot())
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
        let (parts, now) = (self.parts(), Instant::now());
        let deadline = parts.deadline(now);
        let limited = |pass: &Pass| self.limited(pass.began, pass.limit, call());
        let judge = |error: &_| Judgement::of(error, &classify);
        self.drive_with(&parts, (now, deadline), judge, PolicyError::Refused, limited).await
    }

    /// [`run_with`](Self::run_with), once: for what is not written to be made again, whatever the settings say.
    pub(crate) async fn once<T, E>(
        &self,
        classify: impl Fn(&E) -> Class,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, PolicyError<E>> {
        let (parts, now) = (self.parts(), Instant::now());
        let pass = self.enter(&parts, now, parts.deadline(now)).await;
        let pass = pass.map_err(|reason| PolicyError::Refused(self.refused(reason)))?;
        let ended = self.limited(pass.began, pass.limit, call).await;
        pass.end(ended.as_ref().err().map(|error| Judgement::of(error, &classify)));
        ended
    }

    /// Waits for a call for as long as it may take.
    async fn limited<T, E>(
        &self,
        began: Instant,
        limit: Option<Instant>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, PolicyError<E>> {
        let Some(limit) = limit else { return call.await.map_err(PolicyError::Failed) };
        match time::timeout_at(limit, call).await {
            Ok(ended) => ended.map_err(PolicyError::Failed),
            Err(_) => {
                let after = limit.saturating_duration_since(began);
                Err(PolicyError::Refused(self.refused(Refusal::Timeout { after })))
            }
        }
    }

    /// A fallback answered in the place of a call, or failed too.
    pub(crate) fn fell_back(&self, ok: bool) {
        self.0.stats.fell_back(ok);
    }

    /// Makes a call that ends by itself after the time that its pass tells, again where it may be repeated. It is now, and it may take until then.
    pub(crate) async fn drive<T, E, F>(
        &self,
        now_and_deadline: (Instant, Option<Instant>),
        judge: impl Fn(&E) -> Judgement,
        refuse: impl Fn(Refused) -> E,
        call: impl FnMut(&Pass) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.drive_with(&self.parts(), now_and_deadline, judge, refuse, call).await
    }

    async fn drive_with<T, E, F>(
        &self,
        parts: &Parts,
        (mut now, deadline): (Instant, Option<Instant>),
        judge: impl Fn(&E) -> Judgement,
        refuse: impl Fn(Refused) -> E,
        mut call: impl FnMut(&Pass) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        if parts.settings.retry.is_some() {
            parts.budget.add();
        }
        let mut number = 0;
        loop {
            let (error, judgement) = match self.enter(parts, now, deadline).await {
                Err(reason) => return Err(refuse(self.refused(reason))),
                Ok(pass) => match call(&pass).await {
                    Ok(value) => {
                        pass.end(None);
                        return Ok(value);
                    }
                    Err(error) => {
                        let judgement = judge(&error);
                        pass.end(Some(judgement));
                        (error, judgement)
                    }
                },
            };
            let Some(retry) = &parts.settings.retry else { return Err(error) };
            number += 1;
            let wait = retry.wait(number, judgement.class).filter(|wait| fits(*wait, deadline));
            let Some(wait) = wait.filter(|_| parts.budget.take()) else {
                if number > 1
                    && let Some(worker) = WorkerContext::current()
                {
                    worker.repeated_in_vain();
                }
                return Err(error);
            };
            self.0.stats.repeated();
            tracing::debug!(policy = &*self.0.name, number, ?wait, "a call is made again");
            time::sleep(wait).await;
            now = Instant::now();
        }
    }

    /// Lets one attempt through, of what is not repeated.
    ///
    /// # Errors
    ///
    /// Which part said no.
    pub(crate) async fn pass(&self, now: Instant, deadline: Option<Instant>) -> Result<Pass, Refused> {
        let parts = self.parts();
        self.enter(&parts, now, deadline).await.map_err(|reason| self.refused(reason))
    }

    /// Lets an attempt through. Nothing is allocated here, and the clock is looked at only after a wait: a look costs as much as all the rest.
    async fn enter(&self, parts: &Parts, now: Instant, deadline: Option<Instant>) -> Result<Pass, Refusal> {
        let mut began = now;
        let mut place = None;
        if let Some(room) = &parts.bulkhead {
            place = room.try_enter();
            if place.is_none() {
                match until(deadline, room.wait()).await {
                    Some(Ok(waited_for)) => place = Some(waited_for),
                    Some(Err(_)) | None => return Err(self.count(Refusal::BulkheadFull)),
                }
                began = Instant::now();
            }
        }
        let trial = match parts.breaker.as_ref().map(|breaker| breaker.enter(began)).transpose() {
            Ok(trial) => trial,
            Err(open) => return Err(self.count(Refusal::CircuitOpen { retry_after: open.retry_after })),
        };
        if let Some(Err(too_many)) = parts.limiter.as_ref().map(|limiter| limiter.enter()) {
            return Err(self.count(Refusal::RateLimited { retry_after: too_many.retry_after }));
        }
        let own = parts.settings.attempt_timeout.map(|timeout| began + timeout);
        let limit = match (own, deadline) {
            (Some(own), Some(deadline)) => Some(own.min(deadline)),
            (own, deadline) => own.or(deadline),
        };
        Ok(Pass::new(&self.0.stats, place, trial, began, limit))
    }

    #[cold]
    fn count(&self, reason: Refusal) -> Refusal {
        self.0.stats.refused(reason);
        reason
    }

    fn refused(&self, reason: Refusal) -> Refused {
        Refused { policy: self.0.name.clone(), reason }
    }

    fn parts(&self) -> Arc<Parts> {
        self.0.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Dependency for Policy {
    type Options = PolicyOptions;

    fn settings(options: &PolicyOptions) -> Vec<SettingInfo> {
        options.name.iter().map(|name| SettingInfo::new(section(name))).collect()
    }

    async fn setup(cx: &SetupContext, options: PolicyOptions) -> crate::Result<Self> {
        let Some(name) = options.name else {
            let text = "a `Policy` field needs a name: `#[dependency(name = \"gateway\", timeout = \"2s\")]`";
            return Err(Error::new(ErrorKind::Config, text));
        };
        let overrides = cx.policies().overrides(&name)?;
        if !overrides.methods.is_empty() {
            return Err(cx.policies().refuse(&name, "it is no client's policy, so it has no `methods`"));
        }
        cx.policies().get(cx.service(), &name, overrides.over(options.settings))
    }
}

impl Parts {
    /// Until when all attempts of a call may take that begins now.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        self.settings.timeout.map(|timeout| now + timeout)
    }

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
    // Whoever says when to come back may say anything.
    let Some(then) = Instant::now().checked_add(wait) else { return false };
    [deadline, worker].into_iter().flatten().all(|end| then < end)
}

impl<E: fmt::Display> fmt::Display for PolicyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
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
