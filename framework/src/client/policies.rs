//! Calls under the policies of their client.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{Call, CallError, ClientOptions, TypedClient};
use crate::{
    Result,
    codec::EncodeError,
    context::WorkerContext,
    dependency::SetupContext,
    protocol::ServiceError,
    resilience::{Class, Classify, Judgement, Pass, Policy, Refusal, Refused},
};

/// The policies of one client: of single methods, and of all others.
pub(super) struct ClientPolicies {
    others: Option<Policy>,
    /// By the name on the wire.
    methods: BTreeMap<&'static str, Policy>,
    timeouts: BTreeMap<&'static str, Duration>,
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
            let written = written.unwrap_or(&own).clone();
            let settings = match over {
                Some(over) => over.over(written),
                None => written,
            };
            if settings.timeout != own.timeout {
                read.timeouts.extend(settings.timeout.map(|timeout| (*wire, timeout)));
            }
            read.methods.insert(*wire, policies.get(cx.service(), &format!("{service}.{wire}"), settings)?);
        }
        let timeout = own.timeout;
        if own.has_parts() {
            read.others = Some(policies.get(cx.service(), service, own)?);
        }
        let any = read.others.is_some() || !read.methods.is_empty();
        Ok((any.then_some(read), timeout))
    }

    /// The policy of a method; `None`: nothing goes around its calls.
    pub(super) fn of(&self, method: &str) -> Option<&Policy> {
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
    /// Makes the call under a policy, again where it may be repeated, all within its time.
    pub(super) async fn under(mut self, policy: Policy) -> Result<T, CallError<E>> {
        let (now, deadline) = self.deadline();
        // One for all attempts.
        self.take_idempotency_key();
        let has_key = self.has_idempotency_key();
        let judge = |(error, class): &(CallError<E>, Class)| {
            let repeatable = class.repeatable || (class.failure && has_key);
            error.judgement(Class { repeatable, ..*class })
        };
        let refuse = |refused| (CallError::refused(refused), Class::ANSWER);
        let attempt = |pass: &Pass| self.attempt(pass.time().unwrap_or_default()).once();
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

impl<E: ServiceError> CallError<E> {
    /// With what it means by itself.
    pub(super) fn classified(self) -> (Self, Class) {
        let class = self.classify();
        (self, class)
    }
}

impl<E> CallError<E> {
    /// What a policy said no to.
    fn refused(refused: Refused) -> Self {
        match refused.reason {
            Refusal::BulkheadFull => Self::BulkheadFull(refused),
            Refusal::RateLimited { .. } => Self::RateLimited(refused),
            Refusal::CircuitOpen { .. } => Self::CircuitOpen(refused),
            // Clients keep to their times by themselves.
            Refusal::Timeout { .. } => Self::Unavailable(refused.to_string()),
        }
    }

    pub(super) fn judgement(&self, class: Class) -> Judgement {
        Judgement { class, late: matches!(self, Self::Timeout(_)) }
    }
}
