//! Calls under the policies of their client.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{
    Call, CallError, ClientOptions, TypedClient,
    fallback::{Fallback, LastGood},
};
use crate::{
    Result,
    codec::{EncodeError, Format},
    context::WorkerContext,
    dependency::SetupContext,
    protocol::{ServiceError, context_data, decode_reply},
    resilience::{Class, Classify, Judgement, Pass, Policy, Refusal, Refused},
};

/// The policies of one client: of single methods, and of all others.
pub(super) struct ClientPolicies {
    others: Option<Around>,
    /// By the name on the wire.
    methods: BTreeMap<&'static str, Around>,
    timeouts: BTreeMap<&'static str, Duration>,
}

/// What goes around the calls of a method.
#[derive(Debug, Clone)]
pub(super) struct Around {
    pub(super) policy: Policy,
    pub(super) last_good: Option<Arc<LastGood>>,
    fallback: Option<Fallback>,
}

impl ClientPolicies {
    /// What the code says, and what the settings say in its place, with how long calls take where nobody else says. No policies where nothing
    /// goes around a call but its time.
    ///
    /// # Errors
    ///
    /// For a method that the service does not have, and for settings that make no sense.
    pub(super) fn read<C: TypedClient>(
        cx: &SetupContext,
        options: ClientOptions,
    ) -> Result<(Option<Self>, Option<Duration>)> {
        let (policies, service) = (cx.policies(), C::SERVICE);
        let overrides = policies.overrides(service)?;
        let own = overrides.over(options.policy);
        let mut read = Self { others: None, methods: BTreeMap::new(), timeouts: BTreeMap::new() };
        let unknown = |name: &str| policies.refuse(service, format!("`{service}` has no method `{name}`"));
        let is_known = |name: &str| C::METHODS.iter().any(|(ident, wire)| [*ident, *wire].contains(&name));
        let in_code = options.methods.keys().copied();
        if let Some(name) = in_code.chain(overrides.methods.keys().map(String::as_str)).find(|name| !is_known(name)) {
            return Err(unknown(name));
        }
        for (ident, wire) in C::METHODS {
            let over = overrides.methods.get(*ident).or_else(|| overrides.methods.get(*wire));
            let written = options.methods.get(ident).or_else(|| options.methods.get(wire));
            if over.is_none() && written.is_none() {
                continue;
            }
            let policy = written.map_or(&own, |written| &written.policy).clone();
            let settings = match over {
                Some(over) => over.over(policy),
                None => policy,
            };
            if settings.timeout != own.timeout {
                read.timeouts.extend(settings.timeout.map(|timeout| (*wire, timeout)));
            }
            let around = Around {
                policy: policies.get(cx.service(), &format!("{service}.{wire}"), settings)?,
                last_good: written.and_then(|written| written.last_good).map(|time| Arc::new(LastGood::new(time))),
                fallback: written.and_then(|written| written.fallback.clone()),
            };
            read.methods.insert(*wire, around);
        }
        let timeout = own.timeout;
        if own.has_parts() {
            let policy = policies.get(cx.service(), service, own)?;
            read.others = Some(Around { policy, last_good: None, fallback: None });
        }
        let any = read.others.is_some() || !read.methods.is_empty();
        Ok((any.then_some(read), timeout))
    }

    /// What goes around a method's calls.
    pub(super) fn of(&self, method: &str) -> Option<&Around> {
        self.methods.get(method).or(self.others.as_ref())
    }

    /// How long a call of a method may take, where that is said of this very method.
    pub(super) fn timeout_of(&self, method: &str) -> Option<Duration> {
        self.timeouts.get(method).copied()
    }
}

impl fmt::Debug for ClientPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientPolicies").field("others", &self.others).field("methods", &self.methods).finish()
    }
}

impl<T, E> Call<T, E>
where
    T: DeserializeOwned,
    E: ServiceError,
{
    /// Makes the call with what goes around it, and answers in its place where it fails.
    pub(super) async fn within(self, around: Around) -> Result<T, CallError<E>>
    where
        T: 'static,
        E: 'static,
    {
        let Around { policy, last_good, fallback } = around;
        let keep = last_good.map(|last_good| Keep { call: self.identity(), last_good });
        let error = match self.under(&policy, keep.as_ref()).await {
            // The service is well, and says no.
            Err(error) if error.classify() != Class::ANSWER => error,
            answer => return answer,
        };
        if let Some(answer) = keep.as_ref().and_then(Keep::answer) {
            policy.fell_back(true);
            tracing::debug!(policy = policy.name(), %error, "the last good answer stands in the place of a call");
            return Ok(answer);
        }
        let Some(fallback) = fallback else { return Err(error) };
        tracing::debug!(policy = policy.name(), %error, "a fallback is asked");
        let ended = fallback.answer(error).await;
        policy.fell_back(ended.is_ok());
        ended
    }

    /// What tells it from other calls of its method: what it asks, and on whose behalf.
    fn identity(&self) -> Vec<u8> {
        let body = self.body.as_deref().unwrap_or_default();
        // By its length, so that no arguments read like another caller's headers.
        let mut identity = [&body.len().to_le_bytes(), body].concat();
        let worker = WorkerContext::current();
        let context = worker.iter().flat_map(WorkerContext::data);
        // It goes along with the call, and may say for whom it is.
        let baggage = worker.iter().filter_map(|worker| Some(("baggage", worker.header("baggage")?)));
        let headers = self.headers.iter().filter(|(name, _)| name != context_data::IDEMPOTENCY_KEY);
        for (name, value) in context.chain(baggage).chain(headers.map(|(name, value)| (&**name, value))) {
            identity.extend([0xff, 0].iter().chain(name.as_bytes()).chain(&[0]));
            identity.extend(value.to_string().as_bytes());
        }
        identity
    }

    /// Makes the call under a policy, again where it may be repeated, all within its time.
    async fn under(mut self, policy: &Policy, keep: Option<&Keep>) -> Result<T, CallError<E>> {
        let (now, deadline) = self.deadline();
        // One for all attempts.
        self.take_idempotency_key();
        let has_key = self.has_idempotency_key();
        let judge = |(error, class): &(CallError<E>, Class)| {
            let repeatable = class.repeatable || (class.failure && has_key);
            error.judgement(Class { repeatable, ..*class })
        };
        let refuse = |refused| (CallError::refused(refused), Class::ANSWER);
        let attempt = |pass: &Pass| self.attempt(pass.time().unwrap_or_default()).once(keep);
        policy.drive((now, Some(deadline)), judge, refuse, attempt).await.map_err(|(error, _)| error)
    }

    /// Lets the one attempt through that a call is which is sent now and awaited later.
    pub(super) async fn pass(&mut self, policy: &Policy) -> Result<Pass, CallError<E>> {
        let (now, deadline) = self.deadline();
        let pass = policy.pass(now, Some(deadline)).await.map_err(CallError::refused)?;
        self.timeout = pass.time();
        Ok(pass)
    }

    /// It is now, and it may take until then, all attempts together.
    fn deadline(&self) -> (Instant, Instant) {
        let now = Instant::now();
        (now, now + self.time(WorkerContext::current().as_ref(), now))
    }

    /// The same call once more.
    fn attempt(&self, timeout: Duration) -> Self {
        Self {
            client: self.client.clone(),
            method: self.method.clone(),
            format: self.format.clone(),
            body: match &self.body {
                Ok(body) => Ok(body.clone()),
                Err(error) => Err(EncodeError(error.0.clone())),
            },
            timeout: Some(timeout),
            headers: self.headers.clone(),
            declared: self.declared,
            answer: self.answer,
        }
    }
}

/// Where a good answer to a call is kept.
pub(super) struct Keep {
    call: Vec<u8>,
    last_good: Arc<LastGood>,
}

impl Keep {
    pub(super) fn keep(&self, format: &Format, body: &Bytes) {
        self.last_good.keep(&self.call, format, body);
    }

    /// The last one. It was read before.
    fn answer<T: DeserializeOwned>(&self) -> Option<T> {
        let (format, body) = self.last_good.get(&self.call)?;
        decode_reply(&format, &body).ok()?.ok()
    }
}

impl<E: ServiceError> CallError<E> {
    /// With what it means by itself.
    pub(super) fn classified(self) -> (Self, Class) {
        let class = self.classify();
        (self, class)
    }
}

impl<E> CallError<E> {
    /// What a policy said no to.
    pub(crate) fn refused(refused: Refused) -> Self {
        match refused.reason {
            Refusal::BulkheadFull => Self::BulkheadFull(refused),
            Refusal::RateLimited { .. } => Self::RateLimited(refused),
            Refusal::CircuitOpen { .. } => Self::CircuitOpen(refused),
            // Clients keep to their times by themselves.
            Refusal::Timeout { .. } => Self::Unavailable(refused.to_string()),
        }
    }

    pub(crate) fn judgement(&self, class: Class) -> Judgement {
        match self {
            // The caller was too late itself.
            Self::Timeout(timeout) if !timeout.sent => Judgement::none(),
            Self::Timeout(_) => Judgement::late(class),
            _ => Judgement::came(class),
        }
    }
}
