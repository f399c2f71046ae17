//! Why a message was not sent.

use std::fmt;

use super::Verdict;
use crate::{Error, ErrorKind, protocol::Fault};

/// Why an event was not dispatched, or a message not published.
///
/// It becomes a [`Verdict`] and a [`kinoko::Error`](crate::Error) by `?`, so handlers and methods let it through. What would fail again
/// however often it is tried ([`TooLarge`](Self::TooLarge), [`Encode`](Self::Encode), [`Invalid`](Self::Invalid)) makes a dead letter of what a
/// handler was about, the rest follows the handler's policy.
///
/// # Examples
///
/// ```
/// use kinoko::event::DispatchError;
/// # fn show(error: DispatchError) -> String {
/// match error {
///     DispatchError::NoListener { event, .. } => format!("who was to handle `{event}`?"),
///     error if !error.may_have_been_sent() => format!("try again: {error}"),
///     error => format!("it may arrive all the same: {error}"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DispatchError {
    /// No queue is bound for a required event: nobody would ever have seen it.
    NoListener {
        /// The service whose event it is.
        source: String,
        /// The event.
        event: String,
    },
    /// The exchange that a message was published to does not exist.
    NoExchange(String),
    /// The place that a message was published to leads to no queue.
    Unroutable {
        /// The exchange; empty is the default one, whose routing keys are the names of queues.
        exchange: String,
        /// The routing key.
        routing_key: String,
    },
    /// The body is larger than the setting `max_body_bytes`.
    TooLarge {
        /// The encoded size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A queue did not take it: it is full, perhaps. Other queues that it was for may have it. What was for one queue only was tried until the
    /// time was over.
    Rejected(String),
    /// The broker did not say in time whether it has it.
    OutcomeUnknown(String),
    /// The broker was not there in time, or took no messages.
    Unavailable(String),
    /// The broker does not allow it: the credentials, or a permission that is missing.
    Refused(String),
    /// The connection was closed by this program.
    Closed,
    /// The payload has no form in the codec.
    Encode(String),
    /// The outbox did not take it, so it will not be sent: what the database says. Roll the transaction back.
    NotWritten(String),
    /// It can never be sent as it is: a name or headers that no message has room for, a delay that is none.
    Invalid(String),
}

impl DispatchError {
    /// Whether somebody may have received it all the same. If not, sending it again sends it once.
    ///
    /// Sending it again under the same message id is safe in either case where consumers know it by that.
    pub fn may_have_been_sent(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::OutcomeUnknown(_))
    }

    /// Sorts what the transport said. Outcomes that are unknown and brokers that are away are the sender's to wait for.
    pub(super) fn from_transport(error: &Error) -> Self {
        let text = error.chain();
        match error.kind() {
            ErrorKind::Rejected => Self::Rejected(text),
            ErrorKind::OutcomeUnknown => Self::OutcomeUnknown(text),
            ErrorKind::NoExchange => Self::NoExchange(text),
            ErrorKind::Refused => Self::Refused(text),
            ErrorKind::Closed => Self::Closed,
            ErrorKind::Codec | ErrorKind::Usage => Self::Invalid(text),
            _ => Self::Unavailable(text),
        }
    }

    /// Its name and its stable code, as a fault has them.
    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::NoListener { .. } => ("NoListener", "NO_LISTENER"),
            Self::NoExchange(_) => ("NoExchange", "NO_EXCHANGE"),
            Self::Unroutable { .. } => ("Unroutable", "UNROUTABLE"),
            Self::TooLarge { .. } => ("TooLarge", "TOO_LARGE"),
            Self::Rejected(_) => ("Rejected", "REJECTED"),
            Self::OutcomeUnknown(_) => ("OutcomeUnknown", "OUTCOME_UNKNOWN"),
            Self::Unavailable(_) => ("Unavailable", "UNAVAILABLE"),
            Self::Refused(_) => ("Refused", "REFUSED"),
            Self::Closed => ("Closed", "CLOSED"),
            Self::Encode(_) => ("Encode", "ENCODE"),
            Self::NotWritten(_) => ("NotWritten", "NOT_WRITTEN"),
            Self::Invalid(_) => ("Invalid", "INVALID"),
        }
    }
}

impl fmt::Display for DispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoListener { source, event } => {
                write!(f, "nobody listens to event `{event}` of `{source}`: no queue is bound for it")
            }
            Self::Unroutable { exchange, routing_key } if exchange.is_empty() => write!(f, "no queue `{routing_key}`"),
            Self::Unroutable { exchange, routing_key } => {
                write!(f, "exchange `{exchange}` leads to no queue for routing key `{routing_key}`")
            }
            Self::TooLarge { bytes, limit } => {
                write!(f, "not sent: {bytes} bytes, the limit is {limit} (max_body_bytes)")
            }
            Self::Rejected(text) => write!(f, "not taken: {text}"),
            Self::OutcomeUnknown(text) => write!(f, "sent or not: {text}"),
            Self::Unavailable(text) | Self::NoExchange(text) => write!(f, "not sent: {text}"),
            Self::Refused(text) => write!(f, "not allowed: {text}"),
            Self::Closed => f.write_str("not sent: the connection was closed by this program"),
            Self::Encode(text) => write!(f, "the payload cannot be encoded: {text}"),
            Self::NotWritten(text) => write!(f, "not written to the outbox: {text}"),
            Self::Invalid(text) => write!(f, "it cannot be sent as it is: {text}"),
        }
    }
}

impl std::error::Error for DispatchError {}

impl From<DispatchError> for Verdict {
    fn from(error: DispatchError) -> Self {
        let (name, code) = error.names();
        let mut fault = Fault::internal(name, error.to_string());
        fault.code = Some(code.into());
        fault.retryable = match error {
            DispatchError::TooLarge { .. } | DispatchError::Encode(_) | DispatchError::Invalid(_) => Some(false),
            _ => None,
        };
        Self::of_fault(fault)
    }
}
