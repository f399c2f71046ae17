//! Whether the database answers, found out in the background: readiness does not wait.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::Connection;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Database, backend::Backend, lost::reason};

/// How often a database that answers is asked, how often one that does not, and how long an answer may take.
const INTERVAL: Duration = Duration::from_secs(5);
const INTERVAL_WHILE_AWAY: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(5);

/// What is known of a database.
#[derive(Default)]
pub(super) struct Health {
    /// Why it does not answer.
    reason: Mutex<Option<Arc<str>>>,
    suspected: Notify,
}

impl Health {
    pub(super) fn reason(&self) -> Option<Arc<str>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, address: &str, reason: Option<String>) {
        let mut known = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &reason) {
            (None, Some(reason)) => tracing::warn!(database = address, reason, "the database does not answer"),
            (Some(_), None) => tracing::info!(database = address, "the database answers again"),
            _ => {}
        }
        *known = reason.map(Into::into);
    }
}

impl<D: Backend> Database<D> {
    /// Has the database asked at once: an operation lost its connection.
    pub(super) fn suspect(&self) {
        self.0.health.suspected.notify_one();
    }

    /// Why it does not answer, as far as is known.
    pub(super) fn unready(&self) -> Option<String> {
        Some(format!("no connection to {}: {}", self.address(), self.0.health.reason()?))
    }

    /// Asks the database until `stopped`, on a connection of its own: those of the pool may all be in use, which is no reason to call the
    /// database away.
    pub(super) async fn watch(self, stopped: CancellationToken) {
        let health = &self.0.health;
        let mut connection = None;
        loop {
            let asked = tokio::select! {
                asked = timeout(LIMIT, self.ask(&mut connection)) => asked,
                () = stopped.cancelled() => return,
            };
            let trouble = match asked {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(reason(&error)),
                Err(_) => Some(format!("no answer within {LIMIT:?}")),
            };
            let away = trouble.is_some();
            if away {
                // What it would still say is no answer to the next question.
                connection = None;
            }
            health.tell(self.address(), trouble);
            tokio::select! {
                () = stopped.cancelled() => return,
                () = health.suspected.notified(), if !away => {}
                () = sleep(if away { INTERVAL_WHILE_AWAY } else { INTERVAL }) => {}
            }
        }
    }

    async fn ask(&self, connection: &mut Option<D::Connection>) -> sqlx::Result<()> {
        match connection {
            Some(connection) => connection.ping().await,
            none => {
                let options = self.0.pool.connect_options();
                none.insert(D::Connection::connect_with(&options).await?).ping().await
            }
        }
    }
}
