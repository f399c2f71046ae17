//! All that a policy consists of, as a value.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use super::{
    Bulkhead, CircuitBreaker, RateLimit, Retry,
    invalid::{self, Check},
};
use crate::{Error, ErrorKind, Result};

/// All that a policy consists of. What is `None` it does not have.
///
/// The docs of [`Policy`](super::Policy) say in which order they apply.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicySettings {
    /// How long the whole may take: waiting for a place, all attempts, and the waits between them.
    pub timeout: Option<Duration>,
    /// How long one attempt may take.
    pub attempt_timeout: Option<Duration>,
    /// Whether what failed is done again.
    pub retry: Option<Retry>,
    /// When it is no longer tried.
    pub breaker: Option<CircuitBreaker>,
    /// How many at once.
    pub bulkhead: Option<Bulkhead>,
    /// How many in a while.
    pub rate_limit: Option<RateLimit>,
}

impl PolicySettings {
    /// Whether there is more than a time for the whole, which a client keeps to by itself.
    pub(crate) fn has_parts(&self) -> bool {
        *self != Self { timeout: self.timeout, ..Self::default() }
    }

    /// Whether they make sense.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], naming the policy and saying what to write instead.
    pub(super) fn checked(&self, name: &str) -> Result<()> {
        self.check().map_err(|text| Error::new(ErrorKind::Config, format!("policy `{name}`: {text}")))
    }

    fn check(&self) -> Check {
        for (what, time) in [("timeout", self.timeout), ("attempt_timeout", self.attempt_timeout)] {
            if let Some(time) = time {
                invalid::time(what, time)?;
            }
        }
        self.retry.as_ref().map_or(Ok(()), Retry::check)?;
        self.breaker.as_ref().map_or(Ok(()), CircuitBreaker::check)?;
        self.bulkhead.as_ref().map_or(Ok(()), Bulkhead::check)?;
        self.rate_limit.as_ref().map_or(Ok(()), RateLimit::check)
    }
}

/// The options of a [`Policy`](super::Policy) field: its name, and all of [`PolicySettings`], which it stands for.
#[derive(Debug, Clone, Default)]
pub struct PolicyOptions {
    /// The name; a field has to have one.
    pub name: Option<String>,
    /// What it consists of.
    pub settings: PolicySettings,
}

impl Deref for PolicyOptions {
    type Target = PolicySettings;

    fn deref(&self) -> &PolicySettings {
        &self.settings
    }
}

impl DerefMut for PolicyOptions {
    fn deref_mut(&mut self) -> &mut PolicySettings {
        &mut self.settings
    }
}
