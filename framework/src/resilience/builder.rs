use std::time::Duration;

use super::{Bulkhead, CircuitBreaker, Policy, PolicySettings, RateLimit, Retry};
use crate::{Result, protocol::Name};

/// Makes a [`Policy`]; what is not named it does not have.
#[derive(Debug, Clone)]
#[must_use = "it is made with `build`"]
pub struct PolicyBuilder {
    name: Name,
    settings: PolicySettings,
}

impl PolicyBuilder {
    pub(super) fn new(name: Name) -> Self {
        Self { name, settings: PolicySettings::default() }
    }

    /// All of it at once, in the place of what was named before.
    pub fn settings(mut self, settings: PolicySettings) -> Self {
        self.settings = settings;
        self
    }

    /// How long the whole may take, repetitions and waits included.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// How long one attempt may take.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = Some(timeout);
        self
    }

    /// Whether and when what failed is done again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    /// When it is no longer tried.
    pub fn breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.settings.breaker = Some(breaker);
        self
    }

    /// How many at once.
    pub fn bulkhead(mut self, bulkhead: Bulkhead) -> Self {
        self.settings.bulkhead = Some(bulkhead);
        self
    }

    /// How many in a while.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.settings.rate_limit = Some(limit);
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), for settings that make no sense: a share above 1, a time of 0.
    pub fn build(self) -> Result<Policy> {
        self.settings.checked(&self.name)?;
        Ok(Policy::new(self.name, self.settings, true))
    }
}
