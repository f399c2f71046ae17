use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use tracing::warn;

use super::{
    delays,
    failure::{ACCESS_REFUSED, Failure, NOT_FOUND, PRECONDITION_FAILED},
};
use crate::{
    Error, ErrorKind,
    protocol::{Message, Name},
    transport::no_exchange,
};

/// How long an exchange that was missing is asked for before something is published to it: each time it is still missing would end the
/// channel for all.
const ASK_FOR: Duration = Duration::from_secs(60);

/// How long nothing is published to an exchange that is forbidden: permissions change.
const FORBIDDEN_FOR: Duration = Duration::from_secs(5);

/// How long nothing is published that leads to a queue which confirmed nothing: everything behind it would wait as well. Twice as long each
/// further time.
const SILENT_FOR: Duration = Duration::from_secs(10);
const SILENT_FOR_MOST: Duration = Duration::from_secs(300);

/// How many are told apart, for programs whose names of exchanges and users come from elsewhere.
const MOST: usize = 256;

/// What the broker closes a channel for, with everything that is on its way there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    MissingExchange(Name),
    /// The user may not write to this exchange.
    Forbidden(Name),
    /// Only the connection's own user may be named.
    User(Name),
    /// A body above so many bytes.
    TooLarge(usize),
}

impl Refusal {
    pub(super) fn of(failure: &Failure) -> Option<Self> {
        let (code, text) = failure.reply()?;
        let between = |before: &str, after: &str| {
            let rest = text.split_once(before)?.1;
            Some(rest.split_once(after)?.0)
        };
        match code {
            NOT_FOUND => {
                between("no exchange '", "' in vhost ").map(|name| Self::MissingExchange(name.to_owned().into()))
            }
            ACCESS_REFUSED if !text.contains("access to topic") => {
                // By this name it knows the exchange that has none.
                let exchange =
                    |name: &str| if name == "amq.default" { Name::default() } else { name.to_owned().into() };
                between("access to exchange '", "' in vhost ").map(|name| Self::Forbidden(exchange(name)))
            }
            PRECONDITION_FAILED => between("user_id property set to '", "' but authenticated user was ")
                .map(|user| Self::User(user.to_owned().into()))
                .or_else(|| {
                    let limit = text.split_once("is larger than configured max size ")?.1;
                    limit.trim().parse().ok().map(Self::TooLarge)
                }),
            _ => None,
        }
    }

    fn is_of(&self, message: &Message) -> bool {
        match self {
            Self::MissingExchange(exchange) | Self::Forbidden(exchange) => message.exchange == *exchange,
            Self::User(user) => message.properties.user_id.as_ref() == Some(user),
            Self::TooLarge(limit) => message.body.len() > *limit,
        }
    }

    /// The first message that was surely not taken, and with it none behind: the broker handles one after the other, and nothing any more
    /// once it has closed the channel.
    pub(super) fn place_in<'a>(
        &self,
        mut messages: impl DoubleEndedIterator<Item = &'a Message> + ExactSizeIterator,
    ) -> Option<usize> {
        if self.lasts() {
            messages.position(|message| self.is_of(message))
        } else {
            // The exchange may have been there, or allowed, for earlier ones.
            messages.rposition(|message| self.is_of(message))
        }
    }

    /// Whether the broker says the same for as long as the connection lives.
    fn lasts(&self) -> bool {
        matches!(self, Self::User(_) | Self::TooLarge(_))
    }

    fn error(&self, text: String) -> Error {
        Error::new(if self.lasts() { ErrorKind::Usage } else { ErrorKind::Refused }, text)
    }
}

/// What is known to end a channel, so that it ends none again.
#[derive(Default)]
pub(super) struct Refusals {
    /// What the broker said on this connection, but of missing exchanges.
    said: VecDeque<(Refusal, String, Instant)>,
    missing: HashMap<Name, Instant>,
    /// Exchange and routing key of what was not confirmed.
    silent: HashMap<(Name, Name), Silence>,
}

/// Until when nothing is published that way, and how long that is.
struct Silence {
    until: Instant,
    lasts: Duration,
}

impl Refusals {
    /// Keeps it in mind. The error is for the message that it was about.
    pub(super) fn add(&mut self, refusal: Refusal, failure: &Failure) -> Error {
        if let Refusal::MissingExchange(exchange) = &refusal {
            self.missing.retain(|_, since| since.elapsed() < ASK_FOR);
            if self.missing.len() < MOST {
                self.missing.insert(exchange.clone(), Instant::now());
            }
            return no_exchange(exchange);
        }
        let (text, error) = (failure.to_string(), refusal.error(failure.to_string()));
        self.said.truncate(MOST - 1);
        self.said.push_front((refusal, text, Instant::now()));
        error
    }

    /// A message was not confirmed in time. A quorum queue without leader is like that; RabbitMQ leaves one that can never have a leader where
    /// it is killed while it makes it.
    pub(super) fn add_silent(&mut self, message: &Message) {
        let way = way_of(message);
        self.silent.retain(|other, silence| *other == way || silence.until.elapsed() < SILENT_FOR_MOST);
        if self.silent.len() >= MOST {
            return;
        }
        let lasts = self.silent.get(&way).map_or(SILENT_FOR, |silence| (silence.lasts * 2).min(SILENT_FOR_MOST));
        let (exchange, routing_key) = (&*way.0, &*way.1);
        warn!(
            exchange,
            routing_key,
            not_before = ?lasts,
            "a queue that this leads to confirms nothing: nothing is published that way for a while. Has it a leader?"
        );
        self.silent.insert(way, Silence { until: Instant::now() + lasts, lasts });
    }

    /// A message was confirmed.
    pub(super) fn heard(&mut self, message: &Message) {
        if !self.silent.is_empty() {
            self.silent.remove(&way_of(message));
        }
    }

    /// Why a message would end the channel.
    pub(super) fn of(&self, message: &Message) -> Option<Error> {
        if !self.silent.is_empty()
            && let Some(silence) = self.silent.get(&way_of(message))
            && Instant::now() < silence.until
        {
            let text = "a queue that this leads to has confirmed nothing of late; it may have no leader";
            return Some(Error::new(ErrorKind::Unavailable, text));
        }
        let (refusal, text, _) = self.said.iter().find(|(refusal, _, since)| {
            refusal.is_of(message) && (refusal.lasts() || since.elapsed() < FORBIDDEN_FOR)
        })?;
        Some(refusal.error(text.clone()))
    }

    /// Whether its exchange was missing, and has to be asked for.
    pub(super) fn is_missing(&self, message: &Message) -> bool {
        !self.missing.is_empty() && self.missing.get(&message.exchange).is_some_and(|since| since.elapsed() < ASK_FOR)
    }

    pub(super) fn found(&mut self, exchange: &Name) {
        self.missing.remove(exchange);
    }

    /// The connection is over, and another one may be another user's, or another broker's.
    pub(super) fn forget(&mut self) {
        self.said.clear();
        self.silent.clear();
    }
}

fn way_of(message: &Message) -> (Name, Name) {
    // What is put off passes the same queue whatever its key.
    let key = if delays::is_level(&message.exchange) { Name::default() } else { message.routing_key.clone() };
    (message.exchange.clone(), key)
}
