//! Why a call has no answer.

use std::{borrow::Cow, fmt, time::Duration};

use crate::{
    event::Verdict,
    observe::Ended,
    protocol::{Certainty, Fault, ServiceError},
    resilience::Refused,
};

/// Why a call has no answer. `E` is the method's own error.
///
/// # Examples
///
/// ```
/// use kinoko::CallError;
/// # fn show(error: CallError<kinoko::Error>) -> String {
/// match error {
///     CallError::Service(error) => format!("the service says: {error}"),
///     CallError::Timeout(timeout) => format!("no answer: {timeout}"),
///     error if !error.may_have_run() => format!("try again: {error}"),
///     error => error.to_string(),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The method's own error, the same variant that it returned.
    Service(E),
    /// No reply by the deadline.
    Timeout(Timeout),
    /// No instance of the service has ever declared its queue, so nobody can have taken the call.
    UnknownService {
        /// The name that was called.
        service: String,
        /// A name that this process knows and that is close to it.
        did_you_mean: Option<String>,
    },
    /// The service has no such method.
    MethodNotFound {
        /// The service.
        service: String,
        /// The method that was called.
        method: String,
    },
    /// The arguments do not fit the method: the wire's `IncorrectSignature` and `MalformedRequest`. The text names the argument.
    /// Also a request that cannot be sent as it is: an argument without a form in the codec, a name or headers that are too long.
    BadRequest(String),
    /// The reply came and cannot be read: it is of another type, or larger than `max_body_bytes`.
    BadReply(String),
    /// The request could not be sent: the broker was not there by the deadline, or this client is closed.
    Unavailable(String),
    /// The connection that the reply would have come on was lost; whether the call ran is unknown.
    ReplyChannelLost,
    /// The request is larger than `max_body_bytes`, and was not sent.
    TooLarge {
        /// The encoded size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The service does not know who calls: the call had no token, or one that is not valid. The text says which of the two.
    Unauthenticated(String),
    /// The service knows who calls, and does not allow it: the token lacks a role or a scope.
    Forbidden(String),
    /// The client's circuit breaker is open: too many of the last calls failed, and this one was not sent.
    CircuitOpen(Refused),
    /// The client has as many calls under way as its bulkhead lets it, and this one was not sent.
    BulkheadFull(Refused),
    /// The client has begun as many calls as its rate limit lets it, and this one was not sent.
    RateLimited(Refused),
    /// An error that this client's type does not know.
    Remote(Box<Fault>),
}

/// A call that got no reply in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeout {
    /// The service.
    pub service: String,
    /// The method.
    pub method: String,
    /// How long the call waited.
    pub after: Duration,
    /// Whether the broker said that no instance of the service is running.
    pub no_instance: bool,
    /// Whether the request was sent at all; it is not when the caller's own deadline had passed before.
    pub sent: bool,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, method, after, .. } = self;
        if !self.sent {
            return write!(f, "`{service}.{method}` was not called: the caller's own deadline has passed");
        }
        write!(f, "`{service}.{method}` did not answer within {after:?}")?;
        if self.no_instance {
            write!(f, ": no instance of `{service}` is running")?;
        }
        Ok(())
    }
}

impl<E> CallError<E> {
    /// Whether the request may have reached a worker, so that repeating it may do the work twice.
    ///
    /// Retries, breakers and sagas ask this one method.
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Service(_) | Self::BadReply(_) | Self::ReplyChannelLost | Self::Remote(_) => true,
            Self::Timeout(timeout) => timeout.sent,
            Self::UnknownService { .. }
            | Self::MethodNotFound { .. }
            | Self::BadRequest(_)
            | Self::Unavailable(_)
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::TooLarge { .. }
            | Self::CircuitOpen(_)
            | Self::BulkheadFull(_)
            | Self::RateLimited(_) => false,
        }
    }
}

impl<E> CallError<E> {
    /// How metrics count it.
    pub(crate) fn ended(&self) -> Ended {
        match self {
            Self::Service(_) => Ended::ExpectedError,
            Self::Timeout(_) => Ended::Timeout,
            error if !error.may_have_run() => Ended::Rejected,
            _ => Ended::UnexpectedError,
        }
    }
}

impl<E: ServiceError> CallError<E> {
    /// Sorts a fault that came back.
    pub(crate) fn from_fault(fault: Box<Fault>, service: &str, method: &str) -> Self {
        if let Some(error) = E::from_fault(&fault) {
            return Self::Service(error);
        }
        if fault.is_nameko("MethodNotFound") {
            return Self::MethodNotFound { service: service.to_owned(), method: method.to_owned() };
        }
        if fault.is_nameko("IncorrectSignature") || fault.is_nameko("MalformedRequest") {
            return Self::BadRequest(fault.value);
        }
        if fault.is_denied(Fault::UNAUTHENTICATED) {
            return Self::Unauthenticated(fault.value);
        }
        if fault.is_denied(Fault::FORBIDDEN) {
            return Self::Forbidden(fault.value);
        }
        Self::Remote(fault)
    }

    /// What travels when a method lets this error through with `#[fault(forward)]`: the inner error's own fault, or one that names the
    /// condition, with the HTTP and gRPC status of a gateway.
    pub fn to_fault(&self) -> Fault {
        let (exc_type, code, http, grpc) = match self {
            Self::Service(error) => return error.to_fault(),
            Self::Timeout(_) => ("Timeout", "TIMEOUT", 504, "DEADLINE_EXCEEDED"),
            Self::UnknownService { .. } => ("UnknownService", "UNKNOWN_SERVICE", 503, "UNAVAILABLE"),
            Self::Unavailable(_) => ("Unavailable", "UNAVAILABLE", 503, "UNAVAILABLE"),
            Self::ReplyChannelLost => ("ReplyChannelLost", "REPLY_CHANNEL_LOST", 503, "UNAVAILABLE"),
            Self::MethodNotFound { .. } => ("MethodNotFound", "METHOD_NOT_FOUND", 502, "UNIMPLEMENTED"),
            Self::BadRequest(_) => ("BadRequest", "BAD_REQUEST", 502, "INTERNAL"),
            Self::BadReply(_) => ("BadReply", "BAD_REPLY", 502, "INTERNAL"),
            Self::TooLarge { .. } => ("TooLarge", "TOO_LARGE", 502, "INTERNAL"),
            Self::Unauthenticated(text) => return passed_on(Fault::UNAUTHENTICATED, text),
            Self::Forbidden(text) => return passed_on(Fault::FORBIDDEN, text),
            Self::CircuitOpen(refused) | Self::BulkheadFull(refused) | Self::RateLimited(refused) => {
                return refused.to_fault();
            }
            Self::Remote(fault) => {
                // Another service's unknown error: its text is for the log, its code and retryability pass on.
                let mut fault = (**fault).clone();
                fault.internal = true;
                fault.http.get_or_insert(502);
                return fault;
            }
        };
        let mut fault = Fault::internal("RemoteError", self.to_string());
        fault.exc_type = exc_type.into();
        fault.exc_path = Cow::Owned(format!("kinoko.{exc_type}"));
        if let Self::UnknownService { service, .. } = self {
            // Nameko has this one too, made with the name.
            fault.exc_path = Cow::Borrowed("nameko.exceptions.UnknownService");
            fault.exc_args = vec![service.clone().into()];
        }
        fault.code = Some(code.into());
        fault.http = Some(http);
        fault.grpc = Some(grpc.into());
        fault.retryable = match self {
            // The same call would be refused again.
            Self::MethodNotFound { .. } | Self::BadRequest(_) | Self::TooLarge { .. } => Some(false),
            _ => (!self.may_have_run()).then_some(true),
        };
        fault
    }

    /// Whether the work was done, as far as this tells. What the service's own error says, it knows.
    #[doc(hidden)]
    pub fn certainty(&self) -> Certainty {
        match self {
            Self::Service(error) => error.certainty(),
            other if other.may_have_run() => Certainty::Unknown,
            _ => Certainty::NotSent,
        }
    }

    /// The inner error, where a forwarded fault was one.
    #[doc(hidden)]
    pub fn from_forwarded(fault: &Fault) -> Option<Self> {
        E::from_fault(fault).map(Self::Service)
    }
}

/// A refusal of the caller that this service acted for: it is told so, and that something may have run.
fn passed_on(kind: (&'static str, &'static str, u16), text: &str) -> Fault {
    let fault = Fault::denied(kind, text.to_owned().into());
    Fault { exc_path: format!("kinoko.{}", kind.0).into(), ..fault }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(error) => error.fmt(f),
            Self::Timeout(timeout) => timeout.fmt(f),
            Self::UnknownService { service, did_you_mean: None } => write!(f, "no service `{service}`"),
            Self::UnknownService { service, did_you_mean: Some(known) } => {
                write!(f, "no service `{service}`: did you mean `{known}`?")
            }
            Self::MethodNotFound { service, method } => write!(f, "service `{service}` has no method `{method}`"),
            Self::BadRequest(text) => write!(f, "bad request: {text}"),
            Self::BadReply(text) => write!(f, "unreadable reply: {text}"),
            Self::Unavailable(text) => write!(f, "not sent: {text}"),
            Self::ReplyChannelLost => f.write_str("the connection was lost before the reply came"),
            Self::TooLarge { bytes, limit } => write!(f, "not sent: {bytes} bytes, the limit is {limit}"),
            Self::Unauthenticated(text) => write!(f, "not authenticated: {text}"),
            Self::Forbidden(text) => write!(f, "not allowed: {text}"),
            Self::CircuitOpen(refused) | Self::BulkheadFull(refused) | Self::RateLimited(refused) => refused.fmt(f),
            Self::Remote(fault) => fault.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {}
impl<E: ServiceError> From<CallError<E>> for Verdict {
    /// As its fault says; what may pass, such as a timeout or a service that is away, follows the policy.
    fn from(error: CallError<E>) -> Self {
        Self::of_fault(error.to_fault())
    }
}
