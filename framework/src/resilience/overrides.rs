//! What the settings say of a policy, in the place of what its code says: the section `policies.{name}`.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Backoff, Bulkhead, CircuitBreaker, PolicySettings, RateLimit, Retry, Window};
use crate::{Result, config::Settings};

/// A section `policies.{name}`. What it names is changed; the rest stays as it was.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Overrides {
    timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    retry: Option<RetryOverrides>,
    breaker: Option<BreakerOverrides>,
    bulkhead: Option<BulkheadOverrides>,
    #[serde(deserialize_with = "rate")]
    rate_limit: Option<RateLimit>,
    /// Those of single methods, of a client's policy alone.
    pub(crate) methods: BTreeMap<String, Overrides>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetryOverrides {
    max: Option<u32>,
    #[serde(deserialize_with = "backoff")]
    backoff: Option<Backoff>,
    budget: Option<f64>,
    idempotent: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BreakerOverrides {
    failure_rate: Option<f64>,
    slow_rate: Option<f64>,
    slow_after: Option<Duration>,
    #[serde(deserialize_with = "window")]
    window: Option<Window>,
    min_calls: Option<u32>,
    open_for: Option<Duration>,
    trials: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BulkheadOverrides {
    concurrency: Option<usize>,
    queue: Option<usize>,
}

impl Overrides {
    /// The section of one policy; empty where there is none.
    ///
    /// # Errors
    ///
    /// For a key that no policy has, and for a value of another type.
    pub(crate) fn read(settings: &Settings, name: &str) -> Result<Self> {
        Ok(Self::find(settings, name)?.unwrap_or_default())
    }

    /// The section of one policy, where there is one.
    ///
    /// # Errors
    ///
    /// As those of [`read`](Self::read).
    pub(super) fn find(settings: &Settings, name: &str) -> Result<Option<Self>> {
        settings.get(&section(name))
    }

    /// What was written, with this in its place.
    pub(crate) fn over(&self, written: PolicySettings) -> PolicySettings {
        fn set<T: Clone>(place: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                *place = value.clone();
            }
        }
        let mut settings = written;
        settings.timeout = self.timeout.or(settings.timeout);
        settings.attempt_timeout = self.attempt_timeout.or(settings.attempt_timeout);
        settings.rate_limit = self.rate_limit.clone().or(settings.rate_limit);
        if let Some(new) = &self.retry {
            let retry = settings.retry.get_or_insert_with(Retry::default);
            set(&mut retry.max, &new.max);
            set(&mut retry.backoff, &new.backoff);
            set(&mut retry.budget, &new.budget);
            set(&mut retry.idempotent, &new.idempotent);
        }
        if let Some(new) = &self.breaker {
            let breaker = settings.breaker.get_or_insert_with(CircuitBreaker::default);
            set(&mut breaker.failure_rate, &new.failure_rate);
            set(&mut breaker.slow_rate, &new.slow_rate);
            breaker.slow_after = new.slow_after.or(breaker.slow_after);
            set(&mut breaker.window, &new.window);
            set(&mut breaker.min_calls, &new.min_calls);
            set(&mut breaker.open_for, &new.open_for);
            set(&mut breaker.trials, &new.trials);
        }
        if let Some(new) = &self.bulkhead {
            let bulkhead = settings.bulkhead.get_or_insert_with(Bulkhead::default);
            set(&mut bulkhead.concurrency, &new.concurrency);
            set(&mut bulkhead.queue, &new.queue);
        }
        settings
    }
}

/// Where the settings of a policy stand.
pub(crate) fn section(name: &str) -> String {
    format!("policies.{name}")
}

fn backoff<'de, D: Deserializer<'de>>(source: D) -> std::result::Result<Option<Backoff>, D::Error> {
    Backoff::parse(&String::deserialize(source)?).map(Some).map_err(D::Error::custom)
}

fn window<'de, D: Deserializer<'de>>(source: D) -> std::result::Result<Option<Window>, D::Error> {
    Window::parse(&String::deserialize(source)?).map(Some).map_err(D::Error::custom)
}

fn rate<'de, D: Deserializer<'de>>(source: D) -> std::result::Result<Option<RateLimit>, D::Error> {
    RateLimit::parse(&String::deserialize(source)?).map(Some).map_err(D::Error::custom)
}
