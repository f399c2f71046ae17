//! Why a token is not believed: for the log. Its sender is told that it is not valid, and nothing more.

use std::fmt;

use super::Algorithm;
use crate::Error;

/// What is wrong with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// It is larger than `jwt.max_token_bytes`.
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is no token in the compact form: three parts in base64url, the first two of them JSON objects without doubled members.
    Malformed(&'static str),
    /// Its header says `crit`, or something else that nobody here understands.
    Unsupported(&'static str),
    /// Its header names another algorithm than the key has, `none` for one.
    Algorithm {
        /// That of the keys that could have signed it; `None`: there is no such key.
        key: Option<Algorithm>,
    },
    /// No key has its `kid`.
    UnknownKey,
    /// None of the keys has signed it.
    Signature,
    /// Its `exp` is over.
    Expired,
    /// Its `nbf` or its `iat` is yet to come.
    NotYet(&'static str),
    /// Another issuer than one of `jwt.issuer`.
    Issuer,
    /// It is for others than `jwt.audience`.
    Audience,
    /// A claim that it has to have is not there, or of no use.
    Claim(String),
    /// A refresh token where an access token is wanted, or the other way round.
    Kind,
    /// [`Revocation`](super::Revocation) says that it is revoked.
    Revoked,
    /// Its claims are not of the type that is asked for.
    Misfit(String),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, limit } => {
                write!(f, "it has {bytes} bytes, {limit} are allowed (jwt.max_token_bytes)")
            }
            Self::Malformed(what) => write!(f, "it is malformed: {what}"),
            Self::Unsupported(what) => write!(f, "its header has `{what}`, which is not understood here"),
            Self::Algorithm { key: Some(key) } => {
                write!(f, "its header names another algorithm than its key has, {key}")
            }
            Self::Algorithm { key: None } => f.write_str("its header names an algorithm that no key has"),
            Self::UnknownKey => f.write_str("no key has its `kid`"),
            Self::Signature => f.write_str("its signature is of no key that is known"),
            Self::Expired => f.write_str("it has expired (`exp`)"),
            Self::NotYet(claim) => write!(f, "its time is yet to come (`{claim}`)"),
            Self::Issuer => f.write_str("it is of another issuer (`iss`) than jwt.issuer"),
            Self::Audience => f.write_str("it is for others (`aud`) than jwt.audience"),
            Self::Claim(claim) => write!(f, "its claim `{claim}` is missing, or not what it has to be"),
            Self::Kind => f.write_str("it is of another kind (`typ`): an access token is no refresh token"),
            Self::Revoked => f.write_str("it is revoked"),
            Self::Misfit(why) => write!(f, "its claims do not fit: {why}"),
        }
    }
}

impl std::error::Error for Invalid {}

/// Why nobody vouches for a token.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unverified {
    /// It is not valid.
    Invalid(Invalid),
    /// Whether it is cannot be told now: keys or revocations cannot be reached.
    Unavailable(Error),
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => write!(f, "the token is not valid: {invalid}"),
            Self::Unavailable(error) => write!(f, "the token cannot be verified now: {error}"),
        }
    }
}

impl std::error::Error for Unverified {}

impl From<Invalid> for Unverified {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}
