//! An error as it travels.

use std::{borrow::Cow, convert::Infallible, fmt};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Map;

use super::{Value, VariantInfo, exception};
use crate::Error;

/// An error as it travels: Nameko's error map, with the further keys that Nameko ignores.
///
/// `exc_type`, `exc_path`, `exc_args` and `value` are what Python peers read; `code`, `data`, `retryable`, `retry_after_ms`, `http` and `grpc`
/// are kinoko's and carry a [`ServiceError`] to the same variant at the other end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Fault {
    /// The name of the exception's class, or of the error's variant.
    #[serde(default)]
    pub exc_type: Cow<'static, str>,
    /// The class's full path, by which Nameko looks up what to raise.
    #[serde(default)]
    pub exc_path: Cow<'static, str>,
    /// What the exception was made with.
    #[serde(default, deserialize_with = "lenient_list")]
    pub exc_args: Vec<Value>,
    /// The text for people.
    #[serde(default, deserialize_with = "lenient_text")]
    pub value: String,
    /// The stable code of the error, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'static, str>>,
    /// The fields of the error's variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Whether the same call may be repeated as it is. Unset: nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// After how many milliseconds it may be repeated at the earliest, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The HTTP status that it maps to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<u16>,
    /// The gRPC status code that it maps to, such as `NOT_FOUND`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<Cow<'static, str>>,
    /// Whether the text is for the log alone where the caller is a stranger. Never travels.
    #[serde(skip)]
    pub internal: bool,
    /// What caused it, each after a `: `; for the log. Never travels.
    #[serde(skip)]
    pub causes: Option<String>,
}

/// What an error variant says of itself, written with `#[fault(…)]`.
#[derive(Debug, Clone, Copy)]
pub struct FaultMeta {
    /// The variant's name.
    pub exc_type: &'static str,
    /// Where Python finds the class.
    pub exc_path: &'static str,
    /// The fields that the class is made with, in order; none: it is made with the text.
    pub exc_args: &'static [&'static str],
    /// The stable code.
    pub code: &'static str,
    /// The HTTP status.
    pub http: Option<u16>,
    /// The gRPC code.
    pub grpc: Option<&'static str>,
    /// Whether the call may be repeated.
    pub retry: Option<bool>,
}

const NAMEKO: &str = "nameko.exceptions.";
/// Of what refuses a caller itself. Whoever passes a refusal on has run, and says so by another path.
const DENIED: &str = "kinoko.auth.";

impl Fault {
    /// One of Nameko's own errors: `IncorrectSignature`, `MethodNotFound`, `MalformedRequest` …
    pub(crate) fn nameko(exc_type: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            exc_type: exc_type.into(),
            exc_path: format!("{NAMEKO}{exc_type}").into(),
            exc_args: vec![Value::from(text.clone())],
            value: text,
            ..Self::default()
        }
    }

    /// Nothing has run, since there was no worker in time. The same call may be made again.
    pub(crate) fn busy(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            exc_type: "Busy".into(),
            exc_path: "kinoko.Busy".into(),
            exc_args: vec![Value::from(text.clone())],
            value: text,
            code: Some("BUSY".into()),
            http: Some(503),
            grpc: Some("UNAVAILABLE".into()),
            retryable: Some(true),
            ..Self::default()
        }
    }

    /// Nothing has run, since this instance is about to end. Another one may answer the same call.
    #[cfg(feature = "http")]
    pub(crate) fn stopping() -> Self {
        let busy = Self::busy("this instance is stopping: ask again");
        Self { exc_type: "Stopping".into(), exc_path: "kinoko.Stopping".into(), code: Some("STOPPING".into()), ..busy }
    }

    /// After how long the same call may be made again, where that was said.
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        self.retry_after_ms.map(std::time::Duration::from_millis)
    }

    /// Whether it is one of Nameko's own errors.
    pub(crate) fn is_nameko(&self, exc_type: &str) -> bool {
        self.exc_path.strip_prefix(NAMEKO) == Some(exc_type)
    }

    /// An error that is nobody's to handle: a bug, a lost database. Its text travels over AMQP, as Nameko's does.
    pub(crate) fn internal(exc_type: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            exc_type: exc_type.into(),
            exc_path: format!("kinoko.{exc_type}").into(),
            exc_args: vec![Value::from(text.clone())],
            value: text,
            internal: true,
            ..Self::default()
        }
    }

    /// What refuses a caller that nobody vouches for: type, code and status.
    pub(crate) const UNAUTHENTICATED: (&'static str, &'static str, u16) = ("Unauthenticated", "UNAUTHENTICATED", 401);
    /// What refuses a caller that may not.
    pub(crate) const FORBIDDEN: (&'static str, &'static str, u16) = ("Forbidden", "FORBIDDEN", 403);

    /// A caller is refused before anything has run.
    pub(crate) fn denied((exc_type, code, http): (&'static str, &'static str, u16), text: Cow<'static, str>) -> Self {
        Self {
            exc_type: exc_type.into(),
            exc_path: format!("{DENIED}{exc_type}").into(),
            exc_args: vec![Value::from(&*text)],
            value: text.into_owned(),
            code: Some(code.into()),
            retryable: Some(false),
            http: Some(http),
            grpc: Some(if http == 401 { "UNAUTHENTICATED" } else { "PERMISSION_DENIED" }.into()),
            ..Self::default()
        }
    }

    /// Whether it says that a caller was refused before anything had run, and as which of the two.
    pub(crate) fn is_denied(&self, (exc_type, ..): (&'static str, &'static str, u16)) -> bool {
        self.exc_path.strip_prefix(DENIED) == Some(exc_type)
    }

    /// In place of an answer that is larger than the program's limit. `what` is the answer: `its result`.
    pub(crate) fn reply_too_large(what: &str, bytes: usize, limit: usize) -> Self {
        let text = format!("the method ran, but {what} takes {bytes} bytes and {limit} are allowed (max_body_bytes)");
        Self {
            code: Some("REPLY_TOO_LARGE".into()),
            http: Some(500),
            grpc: Some("RESOURCE_EXHAUSTED".into()),
            retryable: Some(false),
            ..Self::internal("ReplyTooLarge", text)
        }
    }

    /// A variant of a [`ServiceError`]. For the derive.
    #[doc(hidden)]
    pub fn of_variant(meta: &FaultMeta, error: &impl fmt::Display, data: Option<Map<String, Value>>) -> Self {
        let text = error.to_string();
        Self {
            exc_type: meta.exc_type.into(),
            exc_path: meta.exc_path.into(),
            exc_args: match &data {
                Some(data) if !meta.exc_args.is_empty() => exception::arguments(meta.exc_args, data),
                _ => vec![Value::from(text.clone())],
            },
            value: text,
            code: Some(meta.code.into()),
            data,
            retryable: meta.retry,
            retry_after_ms: None,
            http: meta.http,
            grpc: meta.grpc.map(Cow::from),
            internal: false,
            causes: None,
        }
    }

    /// The message of a panic.
    pub(crate) fn panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a text".to_owned());
        Self::internal("Panic", text)
    }
}

impl fmt::Display for Fault {
    /// `ValueError: boom`, the form that Python's people know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.exc_type.is_empty(), self.value.is_empty()) {
            (false, false) => write!(f, "{}: {}", self.exc_type, self.value),
            (false, true) => f.write_str(&self.exc_type),
            (true, _) => f.write_str(&self.value),
        }
    }
}

/// Python sends a list of strings where the exception is iterable.
fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    })
}

fn lenient_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => vec![other],
    })
}

/// An error that travels to a caller and comes back as the same variant. Derive it:
///
/// ```
/// use kinoko::prelude::*;
///
/// #[derive(Debug, thiserror::Error, ServiceError)]
/// pub enum StockError {
///     #[error("only {left} of {sku} left")]
///     #[fault(code = "OUT_OF_STOCK", http = 409, grpc = "FAILED_PRECONDITION", retry = false)]
///     OutOfStock { sku: String, left: u32 },
///     #[error("no such article: {0}")]
///     #[fault(http = 404)]
///     NotFound(String),
/// }
///
/// let fault = StockError::OutOfStock { sku: "A-1".into(), left: 2 }.to_fault();
/// assert_eq!(fault.code.as_deref(), Some("OUT_OF_STOCK"));
/// assert!(matches!(StockError::from_fault(&fault), Some(StockError::OutOfStock { left: 2, .. })));
/// ```
///
/// Keys of `#[fault(…)]`: `code` (default: the variant in SCREAMING_SNAKE), `http` (400 to 599), `grpc`, `retry`, `path` (the Python
/// class, so that Nameko callers who registered it get it raised, and callers here get the variant when Python raised it), `internal` (a foreign error: no data, arrives as
/// [`CallError::Remote`](crate::CallError::Remote)), `forward` (a [`CallError`](crate::CallError) of another service, whose fault passes on).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel to a caller as an error",
    label = "not a `ServiceError`",
    note = "add `#[derive(ServiceError)]` to it, or return `kinoko::Result<T>` to report it as an internal error"
)]
pub trait ServiceError: fmt::Debug + fmt::Display + Send + Sync + Sized + 'static {
    /// What travels.
    fn to_fault(&self) -> Fault;

    /// The variant that a fault came from, if it is one of this type's.
    fn from_fault(fault: &Fault) -> Option<Self>;

    /// What documents say of its variants. Default: nothing, for what is implemented by hand.
    #[doc(hidden)]
    const VARIANTS: &'static [VariantInfo] = &[];

    /// Whether it can hold a [`CallError`](crate::CallError), so that whoever returns it may not know whether its work was done.
    #[doc(hidden)]
    const CALLS_OUT: bool = false;

    /// What it says of whether the work was done. Default: it was not, since whoever returns it says so.
    #[doc(hidden)]
    fn certainty(&self) -> Certainty {
        Certainty::Refused
    }
}

/// What an error says of whether the work was done. Sagas ask.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// It was not, and whoever was to do it says so.
    Refused,
    /// Nobody was asked, this time.
    NotSent,
    /// It may have been.
    Unknown,
}

/// The error of methods that return a plain value.
impl ServiceError for Infallible {
    fn to_fault(&self) -> Fault {
        match *self {}
    }

    fn from_fault(_: &Fault) -> Option<Self> {
        None
    }
}

/// An internal error: callers see [`CallError::Remote`](crate::CallError::Remote).
impl ServiceError for Error {
    fn to_fault(&self) -> Fault {
        Fault::internal("InternalError", self.chain())
    }

    fn from_fault(_: &Fault) -> Option<Self> {
        None
    }

    // By `?` it may be anything, a call's error among them.
    const CALLS_OUT: bool = true;

    fn certainty(&self) -> Certainty {
        Certainty::Unknown
    }
}

/// Lets `?` turn an error into the answer of a [`FromWorker`](crate::FromWorker).
impl<E: ServiceError> From<E> for Fault {
    fn from(error: E) -> Self {
        error.to_fault()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_list_of_strings_is_a_text() {
        let fault: Fault = serde_json::from_str(r#"{"exc_type": "E", "value": ["a", "b"], "exc_args": null}"#).unwrap();
        assert_eq!(fault.to_string(), "E: a, b");
        assert!(fault.exc_args.is_empty());
    }

    #[test]
    fn namekos_own_errors_have_namekos_paths() {
        let fault = Fault::nameko("MethodNotFound", "greet");
        let json = serde_json::to_value(&fault).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "exc_type": "MethodNotFound", "exc_path": "nameko.exceptions.MethodNotFound",
                "exc_args": ["greet"], "value": "greet"
            })
        );
    }
}
