//! Why a policy did not let a call through, or did not wait for it.

use std::{fmt, time::Duration};

use crate::protocol::Name;

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
