use std::{fmt, io, time::Duration};

use lapin::ErrorKind as LapinKind;

use super::{refusals::Refusal, uri::Address};
use crate::{Error, ErrorKind, protocol::Name, transport::Login};

pub(super) const ACCESS_REFUSED: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const RESOURCE_LOCKED: u16 = 405;
pub(super) const PRECONDITION_FAILED: u16 = 406;
const COMMAND_INVALID: u16 = 503;
const NOT_ALLOWED: u16 = 530;

/// Why an operation on the broker did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection ended meanwhile.
    Lost,
    /// The broker did not answer within the limit.
    Late { what: &'static str, limit: Duration },
    /// The broker or lapin says no.
    Broker { what: &'static str, error: lapin::Error },
    /// The broker ended a consumer: its queue was deleted, or its leader moved.
    Ended,
    /// A sink did, on the transport's thread. The panic hook has told where.
    Panicked,
    /// What was asked for cannot be sent at all.
    Invalid(Error),
}

impl Failure {
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    /// Whether asking again cannot help: an unknown queue, a missing permission.
    /// A queue or consumer that belongs to a dead connection is free again after its heartbeats.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Invalid(_) => true,
            Self::Broker { error, .. } => match reply(error) {
                Some((ACCESS_REFUSED, text)) => !text.contains("in exclusive use"),
                Some((code, _)) => code == NOT_FOUND,
                None => false,
            },
            _ => false,
        }
    }

    /// Whether what was to be declared exists with other arguments. Arguments that it cannot have are refused with the same code.
    pub(super) fn is_difference(&self) -> bool {
        match self {
            Self::Broker { error, .. } => reply(error)
                .is_some_and(|(code, text)| code == PRECONDITION_FAILED && text.contains("inequivalent arg")),
            _ => false,
        }
    }

    /// The exchange that was asked for and does not exist.
    pub(super) fn missing_exchange(&self) -> Option<Name> {
        match Refusal::of(self) {
            Some(Refusal::MissingExchange(name)) => Some(name),
            _ => None,
        }
    }

    /// AMQP's reply code, where the broker gave one.
    pub(super) fn code(&self) -> Option<u16> {
        self.reply().map(|(code, _)| code)
    }

    /// The broker's word, where it gave one.
    pub(super) fn reply(&self) -> Option<(u16, &str)> {
        match self {
            Self::Broker { error, .. } => reply(error),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("the connection was lost"),
            Self::Panicked => f.write_str("the sink panicked"),
            Self::Ended => f.write_str("its queue was deleted or has moved"),
            Self::Late { what, limit } => write!(f, "the broker did not answer within {limit:?} (to {what})"),
            Self::Broker { what, error } => match reply(error) {
                Some((_, text)) => write!(f, "could not {what}: {text}"),
                None => write!(f, "could not {what}: {error}"),
            },
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Invalid(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = match failure.code() {
            Some(ACCESS_REFUSED) => ErrorKind::Refused,
            Some(NOT_FOUND | RESOURCE_LOCKED | PRECONDITION_FAILED) => ErrorKind::Usage,
            _ => ErrorKind::Unavailable,
        };
        match failure {
            Failure::Invalid(error) => error,
            other => Error::new(kind, other.to_string()),
        }
    }
}

/// Why a connection was not made.
#[derive(Debug)]
pub(super) enum ConnectFailure {
    /// Nobody listens there: most likely the broker restarts, and asking costs nobody anything.
    Absent(String),
    /// Worth another try.
    Unavailable(String),
    /// The broker refuses who we are, or the virtual host. The text says which and what to do.
    Refused(String),
}

impl ConnectFailure {
    /// Names the broker, where there are several and the text does not say it.
    pub(super) fn at(self, address: &Address) -> Self {
        match self {
            Self::Absent(text) => Self::Absent(format!("{address}: {text}")),
            Self::Unavailable(text) => Self::Unavailable(format!("{address}: {text}")),
            Self::Refused(text) => Self::Refused(text),
        }
    }

    /// What the failures of two brokers come to: an outage, unless both refuse, since the other one may take us when it is back.
    pub(super) fn and(self, other: Self) -> Self {
        let both = |one: String, other: &str| format!("{one}; {other}");
        match (self, other) {
            (Self::Absent(one), Self::Absent(other)) => Self::Absent(both(one, &other)),
            (Self::Refused(one), Self::Refused(other)) => Self::Refused(both(one, &other)),
            (
                Self::Absent(one) | Self::Unavailable(one) | Self::Refused(one),
                Self::Absent(other) | Self::Unavailable(other) | Self::Refused(other),
            ) => Self::Unavailable(both(one, &other)),
        }
    }

    /// Tells a refusal from an outage. lapin's texts cannot hold the password: it never parsed our URL.
    pub(super) fn from_lapin(error: &lapin::Error, address: &Address) -> Self {
        let Address { user, vhost, .. } = address;
        match error.kind() {
            LapinKind::IOError(error) if address.tls.is_some() => return Self::from_io(error, address),
            LapinKind::IOError(error) => {
                return Self::Unavailable(format!(
                    "the connection was cut before AMQP began ({error}); a port that wants TLS does that: is it `amqps://`?"
                ));
            }
            LapinKind::ParsingError(_) => {
                return Self::Unavailable(format!(
                    "what answers at port {} does not speak AMQP 0-9-1: correct the port (5672, or `amqps://` and 5671)",
                    address.port
                ));
            }
            _ => {}
        }
        match reply(error) {
            Some((ACCESS_REFUSED | COMMAND_INVALID, _)) if address.login == Login::External => Self::Refused(format!(
                "{address}: the broker does not take the client's certificate as a login (EXTERNAL): \
                 enable its plugin `rabbitmq_auth_mechanism_ssl`, let `auth_mechanisms` list EXTERNAL, \
                 and add a user that is called as the certificate's subject"
            )),
            Some((ACCESS_REFUSED, _)) => Self::Refused(format!(
                "{address}: the broker refuses the user name or password of user `{user}`: correct them in the URL, \
                 or set them on the broker with `rabbitmqctl add_user` or `rabbitmqctl change_password`"
            )),
            Some((NOT_ALLOWED, text)) if text.contains("not found") => Self::Refused(format!(
                "{address}: the broker has no virtual host `{vhost}`: correct the path of the URL, \
                 or create it with `rabbitmqctl add_vhost`"
            )),
            Some((NOT_ALLOWED, text)) if text.contains("refused for user") => Self::Refused(format!(
                "{address}: user `{user}` has no permission for virtual host `{vhost}`: \
                 grant it with `rabbitmqctl set_permissions`"
            )),
            // Connection limits are 530 as well, and pass.
            Some((_, text)) => Self::Unavailable(text.to_owned()),
            None => Self::Unavailable(error.to_string()),
        }
    }

    /// Tells a broker that is not there from one that answers badly, and a certificate that is not accepted from both.
    pub(super) fn from_io(error: &io::Error, address: &Address) -> Self {
        #[cfg(feature = "tls")]
        if let Some(refused) = super::tls::refusal(error, address) {
            return Self::Refused(refused);
        }
        #[cfg(not(feature = "tls"))]
        let _ = address;
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Absent(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

fn reply(error: &lapin::Error) -> Option<(u16, &str)> {
    match error.kind() {
        LapinKind::ProtocolError(error) => Some((error.get_id(), error.get_message().as_str())),
        _ => None,
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the transport is closed")
}
