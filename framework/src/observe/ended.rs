use crate::{
    context::Cancelled,
    protocol::Fault,
    service::{FaultKind, Outcome},
};

/// How a worker, or a call, ended: the label `outcome` of every metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// With a value.
    Ok,
    /// With an error that its method lists, or of its own type.
    ExpectedError,
    /// With one that nobody foresaw, or a panic.
    UnexpectedError,
    /// At its deadline, or at the limit of its method.
    Timeout,
    /// It was not run: bad input, no such method, no right to it, no worker free.
    Rejected,
    /// It was dropped: its caller went away, its connection was lost, the program stops. Somebody else may get it.
    Cancelled,
}

impl Ended {
    pub(crate) const ALL: [Self; 6] =
        [Self::Ok, Self::ExpectedError, Self::UnexpectedError, Self::Timeout, Self::Rejected, Self::Cancelled];

    /// As labels and log lines have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ExpectedError => "expected_error",
            Self::UnexpectedError => "unexpected_error",
            Self::Timeout => "timeout",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether something is wrong that somebody has to look at.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::UnexpectedError | Self::Timeout)
    }

    /// What a worker's outcome comes to, and the fault that tells of it.
    pub(crate) fn of(outcome: &Outcome) -> (Self, Option<&Fault>) {
        match outcome {
            Outcome::Reply(_) | Outcome::Done => (Self::Ok, None),
            Outcome::Response(response) => match response.fault() {
                None => (Self::Ok, None),
                fault => (Self::ExpectedError, fault),
            },
            Outcome::Fault { fault, kind } => {
                let ended = match kind {
                    FaultKind::Expected => Self::ExpectedError,
                    FaultKind::Rejected => Self::Rejected,
                    FaultKind::Unexpected if Self::is_late(fault) => Self::Timeout,
                    FaultKind::Unexpected => Self::UnexpectedError,
                };
                (ended, Some(fault))
            }
            Outcome::Failed(verdict) => (Self::of_handler(verdict.fault()), Some(verdict.fault())),
            Outcome::Batch(verdicts) => match verdicts.iter().flatten().next() {
                Some(verdict) => (Self::of_handler(verdict.fault()), Some(verdict.fault())),
                None => (Self::Ok, None),
            },
            Outcome::Cancelled(Cancelled::DeadlinePassed) => (Self::Timeout, None),
            Outcome::Cancelled(_) => (Self::Cancelled, None),
        }
    }

    /// Whether a fault says that its worker took too long.
    fn is_late(fault: &Fault) -> bool {
        fault.internal && fault.code.as_deref() == Some("TIMEOUT")
    }

    /// A handler lists no errors as expected: what has a code of its own was foreseen.
    fn of_handler(fault: &Fault) -> Self {
        if Self::is_late(fault) {
            return Self::Timeout;
        }
        if fault.internal || fault.code.is_none() { Self::UnexpectedError } else { Self::ExpectedError }
    }
}
