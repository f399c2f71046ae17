//! What an error means to a policy.

use std::time::Duration;

use crate::{CallError, protocol::ServiceError};

/// What an error means to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// Whether it tells that the destination is not well: circuit breakers count it.
    pub failure: bool,
    /// Whether the same call may be made again.
    pub repeatable: bool,
    /// After how long at the earliest, where that was said.
    pub retry_after: Option<Duration>,
}

impl Class {
    /// The destination is well and says no: an order that it does not know. Not counted, not repeated.
    pub const ANSWER: Self = Self { failure: false, repeatable: false, retry_after: None };
    /// The destination is not well, and may have done the work all the same. Counted, not repeated.
    pub const FAILURE: Self = Self { failure: true, repeatable: false, retry_after: None };
    /// The destination is not well, and has not done the work, or may do it twice. Counted, and repeated where the policy has a [`Retry`](super::Retry).
    pub const REPEATABLE: Self = Self { failure: true, repeatable: true, retry_after: None };
}

/// An error that says what it means to a policy. Implemented for each [`ServiceError`](crate::ServiceError); implement it for errors of
/// your own that are none, and give [`Policy::run_with`](super::Policy::run_with) a function for those of others.
///
/// # Examples
///
/// ```
/// use kinoko::resilience::{Class, Classify};
///
/// enum GatewayError { Declined, Busy }
///
/// impl Classify for GatewayError {
///     fn classify(&self) -> Class {
///         match self {
///             Self::Declined => Class::ANSWER,
///             Self::Busy => Class::REPEATABLE,
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a policy cannot tell what `{Self}` means",
    label = "neither a `ServiceError` nor `Classify`",
    note = "derive `kinoko::ServiceError` for it, implement `kinoko::resilience::Classify`, or name a function: `classify = …` in `#[policy]`, `Policy::run_with` elsewhere"
)]
pub trait Classify {
    /// What it means.
    fn classify(&self) -> Class;
}

impl<E: ServiceError> Classify for E {
    /// As its `#[fault(…)]` says: `retry = true` is repeated and counted; `retry = false`, or an HTTP status below 500, is an answer;
    /// anything else is counted.
    fn classify(&self) -> Class {
        Class::of(&self.to_fault())
    }
}

impl Class {
    /// What a typed error or a fault that came back means.
    pub(crate) fn of(fault: &crate::Fault) -> Self {
        match (fault.retryable, fault.http) {
            (Some(true), _) => Self { retry_after: fault.retry_after(), ..Self::REPEATABLE },
            (Some(false), _) | (None, Some(..500)) => Self::ANSWER,
            (None, _) => Self::FAILURE,
        }
    }
}

impl<E: ServiceError> Classify for CallError<E> {
    /// A service's own error means what it says. A call that nobody can have run is repeated; one that somebody may have run is not. What is wrong
    /// with the call itself says nothing of the service.
    fn classify(&self) -> Class {
        match self {
            Self::Service(error) => error.classify(),
            Self::Remote(fault) => Class::of(fault),
            Self::MethodNotFound { .. }
            | Self::BadRequest(_)
            | Self::TooLarge { .. }
            | Self::Unauthenticated(_)
            | Self::Forbidden(_) => Class::ANSWER,
            Self::CircuitOpen(refused) | Self::BulkheadFull(refused) | Self::RateLimited(refused) => refused.classify(),
            error if error.may_have_run() => Class::FAILURE,
            _ => Class::REPEATABLE,
        }
    }
}
