use std::{borrow::Cow, convert::Infallible, fmt, time::Duration};

use crate::{
    Error,
    protocol::{Fault, ServiceError},
};

/// What becomes of a delivery whose handler failed: what a handler's error turns into.
///
/// A handler returns any `Result<(), E>` with `E: Into<Verdict>`: [`Retry`], [`Reject`], [`DeadLetter`], a
/// [`ServiceError`](crate::ServiceError), [`Error`], or a verdict itself.
#[derive(Debug, Clone)]
pub struct Verdict {
    action: Action,
    fault: Box<Fault>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Try again as the handler's policy says, and keep it as a dead letter after the last attempt.
    Retry,
    /// Try again after this time instead of the policy's. It counts as an attempt all the same.
    RetryAfter(Duration),
    /// Done with it: it is dropped, with a line in the log.
    Reject,
    /// Keep it as a dead letter, now.
    DeadLetter,
}

impl Verdict {
    /// A verdict with the error that explains it.
    pub fn new(action: Action, fault: Fault) -> Self {
        Self { action, fault: Box::new(fault) }
    }

    /// What is to be done.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The error that explains it.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// For the derive: an error's own `retry` decides. `false` is final, anything else follows the policy.
    pub fn of_fault(fault: Fault) -> Self {
        let action = if fault.retryable == Some(false) { Action::DeadLetter } else { Action::Retry };
        Self::new(action, fault)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Retry => write!(f, "retry: {}", self.fault),
            Action::RetryAfter(after) => write!(f, "retry after {after:?}: {}", self.fault),
            Action::Reject => write!(f, "reject: {}", self.fault),
            Action::DeadLetter => write!(f, "dead letter: {}", self.fault),
        }
    }
}

impl std::error::Error for Verdict {}

macro_rules! verdict {
    ($(#[$doc:meta])* $name:ident, $action:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            /// With the reason, for the log and for whoever reads dead letters.
            pub fn because(reason: impl Into<Cow<'static, str>>) -> Self {
                Self(reason.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::error::Error for $name {}

        impl From<$name> for Verdict {
            fn from(reason: $name) -> Self {
                Self::new($action, Fault::internal(stringify!($name), reason.0))
            }
        }
    };
}

verdict! {
    /// The message is refused and nobody wants to see it again: it is dropped, with a line in the log.
    Reject, Action::Reject
}

verdict! {
    /// Trying again cannot help: the message is kept as a dead letter, now.
    DeadLetter, Action::DeadLetter
}

/// The message is to be tried again: as the handler's policy says, or after a time of its own. Either counts as an attempt.
#[derive(Debug, Clone)]
pub struct Retry {
    after: Option<Duration>,
    reason: Cow<'static, str>,
}

impl Retry {
    /// As the policy says, with the reason.
    pub fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { after: None, reason: reason.into() }
    }

    /// At once.
    pub fn now() -> Self {
        Self::after(Duration::ZERO)
    }

    /// After this time instead of the policy's.
    pub fn after(after: Duration) -> Self {
        Self { after: Some(after), reason: "the handler asks for another attempt".into() }
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Retry {}

impl From<Retry> for Verdict {
    fn from(retry: Retry) -> Self {
        Self::new(retry.after.map_or(Action::Retry, Action::RetryAfter), Fault::internal("Retry", retry.reason))
    }
}

impl From<Error> for Verdict {
    fn from(error: Error) -> Self {
        Self::new(Action::Retry, error.to_fault())
    }
}

impl From<Infallible> for Verdict {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
