//! The error of everything that is not a call's own answer: start-up, settings, the broker, a handler's internal failure.

use std::{borrow::Cow, error::Error as StdError, fmt};

/// `Result` with kinoko's [`Error`] unless another one is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is, for those who branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is missing, of the wrong type, or contradicts another one.
    Config,
    /// The program asked for something that is not there: no service linked, a name nobody has.
    Usage,
    /// A dependency could not be set up or started, or dependencies need each other in a circle.
    Setup,
    /// The broker is there and says no: wrong credentials, unknown virtual host, missing permission.
    Refused,
    /// The broker cannot be reached just now, so the message was not sent; or a database cannot.
    Unavailable,
    /// It was sent, and the broker did not tell what became of it: it may have it, or not. So with a commit whose connection was lost.
    OutcomeUnknown,
    /// The broker did not take a message, or not into every queue that it was for: one is full, perhaps.
    Rejected,
    /// What a message was published to does not exist: nobody has the message.
    NoExchange,
    /// The transport was closed by this program.
    Closed,
    /// A value cannot be encoded, or bytes cannot be decoded.
    Codec,
    /// Anything else: what a handler let through with `?`.
    Internal,
}

impl ErrorKind {
    /// The exit code of a program that ends with this error.
    ///
    /// 2: fix the program or its settings; 3: fix what the broker knows; 1: everything else.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Config | Self::Usage | Self::NoExchange => 2,
            Self::Refused => 3,
            _ => 1,
        }
    }
}

/// An opaque error with a kind, a text that says what to do, and a source.
///
/// Any [`std::error::Error`] becomes one by `?`, with kind [`ErrorKind::Internal`].
/// Like `anyhow::Error`, and for the same reason (coherence), it does not implement `std::error::Error` itself.
///
/// # Examples
///
/// ```
/// fn port(text: &str) -> kinoko::Result<u16> {
///     Ok(text.parse::<u16>()?)
/// }
/// let error = port("eighty").unwrap_err();
/// assert_eq!(error.kind(), kinoko::ErrorKind::Internal);
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    context: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind with this text.
    pub fn new(kind: ErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, context: Some(text.into()), source: None }))
    }

    /// An internal error with this text.
    pub fn msg(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Internal, text)
    }

    /// Puts a text before this error: what was being done when it happened.
    #[must_use]
    pub fn context(self, text: impl Into<Cow<'static, str>>) -> Self {
        let kind = self.kind();
        let source: Box<dyn StdError + Send + Sync> = self.into();
        Self(Box::new(Inner { kind, context: Some(text.into()), source: Some(source) }))
    }

    /// Gives this error another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The error beneath, if there is one.
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }

    /// The first error of this type beneath.
    #[cfg(feature = "sql")]
    pub(crate) fn find<E: StdError + 'static>(&self) -> Option<&E> {
        let mut next = self.source();
        while let Some(source) = next {
            // Its own `source` passes over what it displays.
            if let Some(Standard(error)) = source.downcast_ref() {
                return error.find();
            }
            if let Some(found) = source.downcast_ref() {
                return Some(found);
            }
            next = source.source();
        }
        None
    }

    /// The whole chain in one line, for logs: `setting up db: connection refused`.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = match &self.0.context {
            Some(_) => self.source(),
            None => self.source().and_then(StdError::source),
        };
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        Self(Box::new(Inner { kind: ErrorKind::Internal, context: None, source: Some(Box::new(source)) }))
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        Box::new(Standard(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.context, &self.0.source) {
            (Some(context), _) => f.write_str(context),
            (None, Some(source)) => source.fmt(f),
            (None, None) => f.write_str("internal error"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.0.kind).field("text", &self.chain()).finish()
    }
}

/// What an [`Error`] is where a `std::error::Error` is asked for.
struct Standard(Error);

impl fmt::Debug for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for Standard {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.0.context {
            Some(_) => self.0.source(),
            // Without a text of its own it displays its source, so the next one down is the source's.
            None => self.0.source().and_then(StdError::source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_names_each_link_once() {
        let error = Error::from(std::io::Error::other("disk full")).context("writing the log").context("stopping");
        assert_eq!(error.chain(), "stopping: writing the log: disk full");
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[test]
    fn context_keeps_the_kind() {
        assert_eq!(Error::new(ErrorKind::Config, "no port").context("starting").kind().exit_code(), 2);
    }
}
