//! What a database knows of its outbox, and what wakes its relay: a commit in this process, and PostgreSQL's word of one in another.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sqlx::postgres::PgListener;
use tokio::{
    sync::{OnceCell, watch},
    time::sleep,
};
use tracing::{debug, warn};
use uuid::Uuid;

use super::store;
use crate::{
    ErrorKind, Result,
    sql::{Backend, Database, Dialect},
};

/// How long to wait before the database is asked again to tell of commits.
const PAUSE: Duration = Duration::from_secs(5);

/// The outbox of one [`Database`], as this process sees it.
pub(in crate::sql) struct Outbox {
    /// Whether its tables are there; the text says why not.
    tables: OnceCell<Result<(), String>>,
    woken: watch::Sender<()>,
    /// Tells the commits of this process from those of others.
    id: String,
    /// What keeps the relay from its work at the moment.
    trouble: Mutex<Option<String>>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            tables: OnceCell::new(),
            woken: watch::Sender::new(()),
            id: Uuid::new_v4().to_string(),
            trouble: Mutex::default(),
        }
    }
}

impl Outbox {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Something was committed.
    pub(super) fn wake(&self) {
        self.woken.send_replace(());
    }

    pub(super) fn woken(&self) -> watch::Receiver<()> {
        self.woken.subscribe()
    }

    /// Whether a row can be written.
    pub(in crate::sql) fn available(&self) -> Result<(), String> {
        self.tables.get().cloned().unwrap_or_else(|| Err("its tables were not looked for".to_owned()))
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the trouble is new.
    pub(super) fn set_trouble(&self, trouble: Option<String>) -> bool {
        let mut present = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *present, trouble).is_none()
    }
}

impl<D: Backend> Database<D> {
    /// Sees to it that the outbox has its tables, before anybody begins a transaction: not in one, since SQLite lets nobody else write
    /// meanwhile, and since it is not the user's.
    ///
    /// A database where this program must not make them has no outbox, which matters to nobody but who writes to it.
    ///
    /// # Errors
    ///
    /// Where the database cannot be reached, or the tables are of a later version.
    pub(in crate::sql) async fn prepare_outbox(&self) -> Result<()> {
        let prepared = self.0.outbox.tables.get_or_try_init(|| async {
            match self.ensure(&store::TABLES).await {
                Ok(()) => Ok(Ok(())),
                Err(error) if error.kind() == ErrorKind::Refused => Ok(Err(error.chain())),
                Err(error) => Err(error),
            }
        });
        prepared.await.map(drop)
    }

    /// Wakes the relay when another process has committed something. Without an end.
    pub(super) async fn listen(self, url: String) {
        if self.dialect() != Dialect::Postgres {
            // SQLite tells nobody.
            return pending().await;
        }
        loop {
            let Err(error) = self.listen_once(&url).await;
            debug!(database = self.address(), %error, "PostgreSQL tells of no commits of other processes, looking for them from time to time");
            sleep(PAUSE).await;
        }
    }

    async fn listen_once(&self, url: &str) -> sqlx::Result<Infallible> {
        let mut listener = PgListener::connect(url).await?;
        listener.listen(store::CHANNEL).await?;
        loop {
            // What was told before is lost, as is what was told while the connection was away.
            self.0.outbox.wake();
            while let Some(told) = listener.try_recv().await? {
                if told.payload() != self.0.outbox.id {
                    self.0.outbox.wake();
                }
            }
            warn!(database = self.address(), "the connection that tells of commits was lost, and made again");
        }
    }
}
