//! Why a call has no answer.

use std::{error::Error, time::Duration};

use tokio::time::Instant;
use tonic::{Code, ConnectError, Status, TimeoutExpired};

use crate::{
    client::{CallError, Timeout},
    grpc::status,
    protocol::{Fault, ServiceError},
    resilience::Class,
};

/// Why a call has no answer, before it becomes a [`CallError`] of some type.
pub(super) enum Failure {
    /// The time is over. `sent`: the request may have reached somebody.
    Late {
        sent: bool,
    },
    /// Nobody is there to be asked.
    Nobody(String),
    /// The request cannot be sent as it is.
    NotSendable(String),
    Status(Box<Status>),
}

/// What the texts of a call's errors need.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) service: &'a str,
    pub(super) method: &'a str,
    pub(super) timeout: Duration,
}

/// Whether a status tells that nobody was reached.
pub(super) fn is_unreached(status: &Status) -> bool {
    is_because_of::<ConnectError>(status)
}

fn is_because_of<T: Error + 'static>(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<T>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// Servers keep the deadline by clocks and roundings of their own.
const SKEW: Duration = Duration::from_millis(10);

/// Whether the other side cut a call off because its time was over, a moment before we say so ourselves.
pub(super) fn is_cut_by_deadline(status: &Status, until: Instant) -> bool {
    is_cut(status) && until.saturating_duration_since(Instant::now()) <= SKEW
}

/// Whether there is no answer but the end of the call's stream, or of its connection.
fn is_cut(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled) && status.source().is_some()
}

impl Origin<'_> {
    #[cold]
    pub(super) fn fail<E: ServiceError>(self, failure: Failure) -> CallError<E> {
        match failure {
            Failure::Late { sent } => self.late(sent),
            Failure::Nobody(text) => CallError::Unavailable(text),
            Failure::NotSendable(text) => CallError::BadRequest(text),
            Failure::Status(status) => self.of_status(&status),
        }
    }

    fn late<E>(self, sent: bool) -> CallError<E> {
        let Self { service, method, timeout } = self;
        CallError::Timeout(Timeout {
            service: service.to_owned(),
            method: method.to_owned(),
            after: timeout,
            no_instance: false,
            sent,
        })
    }

    fn of_status<E: ServiceError>(self, status: &Status) -> CallError<E> {
        let fault = status::to_fault(status);
        if let Some(error) = E::from_fault(&fault) {
            return CallError::Service(error);
        }
        let text = || status.message().to_owned();
        // What tells no more than its code: of a server that knows nothing of kinoko, or of what stands between.
        match status.code() {
            _ if status::is_told(status) => CallError::from_fault(Box::new(fault), self.service, self.method),
            // tonic looks at the time, too.
            _ if is_because_of::<TimeoutExpired>(status) => self.late(true),
            Code::Unavailable if is_unreached(status) => CallError::Unavailable(causes(status)),
            // The connection broke, or the call was withdrawn on its way.
            _ if is_cut(status) => CallError::ReplyChannelLost,
            Code::DeadlineExceeded => self.late(true),
            Code::Unimplemented => {
                CallError::MethodNotFound { service: self.service.to_owned(), method: self.method.to_owned() }
            }
            Code::InvalidArgument => CallError::BadRequest(text()),
            Code::Unauthenticated => CallError::Unauthenticated(text()),
            Code::PermissionDenied => CallError::Forbidden(text()),
            Code::OutOfRange | Code::Internal if status.source().is_some() => CallError::BadReply(text()),
            _ => CallError::Remote(Box::new(Fault { value: text(), ..fault })),
        }
    }
}

/// A status with what led to it.
fn causes(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = status.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

impl Failure {
    /// What it means to a policy, where what came says it: a fault may say more than the type that it becomes.
    pub(super) fn class(&self) -> Option<Class> {
        match self {
            Self::Status(status) if status::is_told(status) => {
                let fault = status::to_fault(status);
                fault.retryable.is_some().then(|| Class::of(&fault))
            }
            _ => None,
        }
    }
}
