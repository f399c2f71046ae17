//! Failing well: what goes around a call that may fail.
//!
//! [`Policy`] puts the parts together, in one order; each part has a file, or a folder, of its own. A circuit breaker's states are a machine without
//! clock and lock (`circuit_breaker/machine.rs`), so that they can be proven.
#![cfg_attr(
    not(feature = "http"),
    allow(dead_code, reason = "only what a feature adds looks at policies from outside")
)]

mod budget;
mod builder;
mod bulkhead;
mod circuit_breaker;
mod classify;
#[doc(hidden)]
pub mod expansion;
mod invalid;
#[cfg(feature = "tower")]
mod layer;
mod options;
mod overrides;
mod pass;
mod policy;
mod process;
mod rate_limit;
mod refused;
mod registry;
mod retry;
mod settings;
mod sight;
mod stats;

#[cfg(feature = "tower")]
pub use self::layer::PolicyService;
pub use self::{
    builder::PolicyBuilder,
    bulkhead::Bulkhead,
    circuit_breaker::{BreakerState, CircuitBreaker, Window},
    classify::{Class, Classify},
    policy::{Policy, PolicyError},
    rate_limit::RateLimit,
    refused::{Refusal, Refused},
    retry::{Backoff, Retry},
    settings::{PolicyOptions, PolicySettings},
};
#[cfg(feature = "http")]
pub(crate) use self::{
    bulkhead::Queue,
    overrides::Overrides,
    stats::{Outcome, StatsSnapshot},
};
pub(crate) use self::{
    overrides::section,
    pass::{Judgement, Pass},
    registry::Policies,
    sight::PolicySight,
};
