//! What a database knows of its outbox, and what wakes its relay: a commit in this process, and PostgreSQL's word of one in another.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{OnceCell, watch};
use uuid::Uuid;

use super::store;
use crate::{
    ErrorKind, Result,
    sql::{Backend, Database},
};

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
    pub(super) async fn listen_for_rows(self) {
        let outbox = self.clone();
        let heard = move |told: Option<&str>| {
            if told != Some(&*outbox.0.outbox.id) {
                outbox.0.outbox.wake();
            }
        };
        self.listen(store::CHANNEL, heard).await;
    }
}
