//! Why a policy did not let a call through, or did not wait for it.

use std::{fmt, time::Duration};

use super::stats::Outcome;
use crate::{
    Fault,
    protocol::{Certainty, Name, ServiceError},
};

/// A call that a policy refused, or did not wait for any longer.
///
/// A method with `#[policy(…)]` needs an error that can hold it: `impl From<Refused>`, which a variant with `#[from] Refused` gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The policy, by its name.
    pub policy: Name,
    /// Which part of it.
    pub reason: Refusal,
}

/// Which part of a policy ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It was not over in time; whether it was done is unknown.
    Timeout {
        /// How long it had.
        after: Duration,
    },
    /// The circuit breaker is open: too many of the last calls failed.
    CircuitOpen {
        /// After how long it lets one try, where that is known.
        retry_after: Option<Duration>,
    },
    /// So many calls are under way that there is no room for another one.
    BulkheadFull,
    /// Too many calls began in the last while.
    RateLimited {
        /// After how long another one may.
        retry_after: Duration,
    },
}

impl Refused {
    /// Whether the call may have been done all the same.
    pub fn may_have_run(&self) -> bool {
        matches!(self.reason, Refusal::Timeout { .. })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.policy;
        match self.reason {
            Refusal::Timeout { after } => write!(f, "`{policy}` was not over within {after:?}"),
            Refusal::CircuitOpen { retry_after } => {
                write!(f, "the circuit of `{policy}` is open: too many of its last calls failed")?;
                retry_after.map_or(Ok(()), |wait| write!(f, "; it tries again in {wait:.1?}"))
            }
            Refusal::BulkheadFull => write!(f, "`{policy}` has as many calls under way as it may"),
            Refusal::RateLimited { retry_after } => {
                write!(f, "`{policy}` has begun as many calls as it may; another one in {retry_after:.1?}")
            }
        }
    }
}

impl std::error::Error for Refused {}

impl Refusal {
    /// As a fault names it: type, code, and the status of HTTP and gRPC.
    fn names(self) -> (&'static str, &'static str, u16, &'static str) {
        match self {
            Self::Timeout { .. } => ("Timeout", "TIMEOUT", 504, "DEADLINE_EXCEEDED"),
            Self::CircuitOpen { .. } => ("CircuitOpen", "CIRCUIT_OPEN", 503, "UNAVAILABLE"),
            Self::BulkheadFull => ("BulkheadFull", "BULKHEAD_FULL", 503, "UNAVAILABLE"),
            Self::RateLimited { .. } => ("RateLimited", "RATE_LIMITED", 429, "RESOURCE_EXHAUSTED"),
        }
    }

    /// As logs and metrics name it.
    pub(super) fn name(self) -> &'static str {
        Outcome::from(self).name()
    }

    /// After how long another call may be let through, where that is known.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { retry_after } => retry_after,
            Self::RateLimited { retry_after } => Some(retry_after),
            Self::Timeout { .. } | Self::BulkheadFull => None,
        }
    }
}

/// What a caller is told who called a service in which a policy said no.
impl ServiceError for Refused {
    fn to_fault(&self) -> Fault {
        let (exc_type, code, http, grpc) = self.reason.names();
        // Whoever comes back a part of a millisecond too early is refused again.
        let millis = |wait: Duration| u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1);
        let fault = match self.reason {
            // A stranger is told too, without whom it would have been passed on to.
            Refusal::RateLimited { .. } => Fault { internal: false, ..Fault::internal(exc_type, "too many requests") },
            _ => Fault::internal(exc_type, self.to_string()),
        };
        Fault {
            code: Some(code.into()),
            http: Some(http),
            grpc: Some(grpc.into()),
            // What was not begun may be asked for again; what was late may have been done.
            retryable: (!self.may_have_run()).then_some(true),
            retry_after_ms: self.reason.retry_after().map(millis),
            ..fault
        }
    }

    /// Nobody's refusal is another one's: it arrives as [`CallError::Remote`](crate::CallError::Remote).
    fn from_fault(_: &Fault) -> Option<Self> {
        None
    }

    const CALLS_OUT: bool = true;

    fn certainty(&self) -> Certainty {
        if self.may_have_run() { Certainty::Unknown } else { Certainty::NotSent }
    }
}
