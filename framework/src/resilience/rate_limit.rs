//! A bound on how many calls begin in a while.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use super::invalid::{self, Check};

/// How many calls may begin in a while, evenly spread.
///
/// In an attribute: `rate_limit = "100/s"`, or `rate_limit(calls = 6000, per = "1m", burst = 50)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// So many calls. Default: 100.
    pub calls: u32,
    /// In so long. Default: 1 s.
    pub per: Duration,
    /// How many of them may begin at once, after a while without any. Default: as many as [`calls`](Self::calls).
    pub burst: Option<u32>,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { calls: 100, per: Duration::from_secs(1), burst: None }
    }
}

impl RateLimit {
    /// Reads `100/s`, `6000/m`, `10/h`, `50/200ms`.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (calls, per) = kinoko_text::parse_rate(text)?;
        Ok(Self { calls, per, burst: None })
    }

    pub(super) fn check(&self) -> Check {
        if self.calls == 0 || self.burst == Some(0) {
            return Err("`rate_limit` lets no call through: write at least 1".to_owned());
        }
        invalid::time("rate_limit.per", self.per)?;
        if (self.per / self.calls).is_zero() {
            return Err(format!(
                "`rate_limit` is {} calls in {:?}: more than a billion a second",
                self.calls, self.per
            ));
        }
        let burst = self.burst.unwrap_or(self.calls);
        if (self.per / self.calls).checked_mul(burst).is_none_or(|full| full > invalid::LONGEST) {
            return Err(format!(
                "`rate_limit.burst` is {burst}, which takes longer than a hundred years to save up: write less"
            ));
        }
        Ok(())
    }
}

/// One limit, shared by all calls that it is for.
#[derive(Debug)]
pub(super) struct Limiter {
    settings: RateLimit,
    governor: RateLimiter<NotKeyed, InMemoryState, SinceThen, NoOpMiddleware<Nanos>>,
}

/// Too many calls have begun; another one may after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany {
    pub(super) retry_after: Duration,
}

impl Limiter {
    /// The settings have been checked.
    pub(super) fn new(settings: RateLimit) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(settings.per / settings.calls.max(1))
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
            .allow_burst(at_least_one(settings.burst.unwrap_or(settings.calls)));
        Self { governor: RateLimiter::direct_with_clock(quota, SinceThen(Instant::now())), settings }
    }

    pub(super) fn enter(&self) -> Result<(), TooMany> {
        self.governor.check().map_err(|not_until| {
            let retry_after = not_until.wait_time_from(self.governor.clock().now());
            TooMany { retry_after }
        })
    }

    pub(super) fn settings(&self) -> &RateLimit {
        &self.settings
    }
}

/// Tokio's clock, so that it stands still in tests where that one does.
#[derive(Debug, Clone, Copy)]
struct SinceThen(Instant);

impl Clock for SinceThen {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}
