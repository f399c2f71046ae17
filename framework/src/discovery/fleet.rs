//! All that run on one broker, as one program sees them.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};

use super::{presence::Presence, station::Station, topic::Kind};
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

impl Fleet {
    /// Of somebody who only looks, and says nothing of itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] where a permission is missing, [`ErrorKind::Unavailable`] where the broker is away.
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
    pub(crate) async fn ping(&self, service: Option<&str>) -> Result<Vec<Presence>> {
        let answers = self.ask(Kind::Ping, service, ANSWER_TIME).await?;
        let mut there: Vec<_> = answers.iter().filter_map(|answer| Presence::read(answer)).collect();
        there.sort_by(|one, other| {
            (&one.program, &one.host, one.pid, &one.instance).cmp(&(
                &other.program,
                &other.host,
                other.pid,
                &other.instance,
            ))
        });
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
