//! All that run on one broker, as one program sees them.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};

#[cfg(feature = "cli")]
use super::presence::Presence;
use super::{station::Station, topic::Kind};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Message, Properties, names},
    transport::Transport,
};

/// How long the others are given to answer. On one broker they take milliseconds.
pub(crate) const ANSWER_TIME: Duration = Duration::from_millis(300);

/// What asks the others.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    station: Arc<Station>,
    /// Weak: the transport holds its consumers, which hold the station.
    transport: Weak<dyn Transport>,
}

/// The fleet of a program that takes part, once it does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Neighbours(Arc<OnceLock<Fleet>>);

impl Neighbours {
    pub(super) fn set(&self, fleet: Fleet) {
        // A program takes part once.
        let _ = self.0.set(fleet);
    }

    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds asks"))]
    pub(crate) fn fleet(&self) -> Option<Fleet> {
        self.0.get().cloned()
    }
}

impl Fleet {
    /// Of a program that takes part.
    pub(super) fn of(station: Arc<Station>, transport: &Arc<dyn Transport>) -> Self {
        Self { station, transport: Arc::downgrade(transport) }
    }

    /// This program among the others.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds asks"))]
    pub(crate) fn instance(&self) -> &str {
        &self.station.instance
    }

    /// Of somebody who only looks, and says nothing of itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] where a permission is missing, [`ErrorKind::Unavailable`] where the broker is away.
    #[cfg(feature = "cli")]
    pub(crate) async fn visit(transport: &Arc<dyn Transport>) -> Result<Self> {
        let (station, _) = Station::new();
        let opened = timeout(BROKER_TIME, station.open(&**transport, None)).await.map_err(|_| away(&**transport))?;
        opened.map_err(|error| match error.kind() {
            ErrorKind::Refused => Error::new(ErrorKind::Refused, format!("{error}; {PERMISSIONS}")),
            _ => error,
        })?;
        Ok(Self { station, transport: Arc::downgrade(transport) })
    }

    /// Asks all instances of a service, or of all services, and returns what they answer within a time. Nobody there is known at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] where the broker does not take the question in that time; otherwise as [`Transport::publish`].
    pub(crate) async fn ask(&self, kind: Kind, service: Option<&str>, within: Duration) -> Result<Vec<Bytes>> {
        let closed = || Error::new(ErrorKind::Closed, "the program has ended");
        let transport = self.transport.upgrade().ok_or_else(closed)?;
        let mut question = self.station.questions.ask();
        let message = Message {
            exchange: names::DISCOVERY_EXCHANGE,
            routing_key: kind.key(service),
            properties: Properties {
                reply_to: Some(self.station.queue.clone()),
                correlation_id: Some(question.correlation_id.clone()),
                expiration: Some(within),
                ..Properties::default()
            },
            body: Bytes::new(),
        };
        let published = timeout(BROKER_TIME, transport.publish(message)).await.map_err(|_| away(&*transport))?;
        let mut answers = Vec::new();
        if published?.routed {
            let until = Instant::now() + within;
            while let Ok(Some(answer)) = timeout_at(until, question.next()).await {
                answers.push(answer);
            }
        }
        Ok(answers)
    }

    /// Who is there, by the names of programs.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    #[cfg(feature = "cli")]
    pub(crate) async fn ping(&self, service: Option<&str>) -> Result<Vec<Presence>> {
        let answers = self.ask(Kind::Ping, service, ANSWER_TIME).await?;
        let mut there: Vec<_> = answers.iter().filter_map(|answer| Presence::read(answer)).collect();
        there.sort_by(|one, other| one.order().cmp(&other.order()));
        there.dedup_by(|one, other| one.instance == other.instance);
        Ok(there)
    }
}

fn away(transport: &dyn Transport) -> Error {
    Error::new(ErrorKind::Unavailable, transport.state().borrow().unreachable(&transport.address()))
}

/// How long a broker that is away is waited for.
const BROKER_TIME: Duration = Duration::from_secs(5);

/// What a user of the broker needs to take part.
pub(super) const PERMISSIONS: &str =
    "discovery needs the permissions to configure, write and read `kinoko\\.srv.*`, and to write `amq\\.default`";
