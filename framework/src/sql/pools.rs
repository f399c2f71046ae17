//! The databases of one process: services with the same URL share a pool.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    Database,
    backend::{Backend, Dialect},
    place::Place,
};
use crate::{
    Result,
    dependency::{Dependency, Scope, SetupContext},
    task::Tasks,
};

/// All databases of a process, by their URL.
pub(super) struct Pools<D: Backend>(Arc<Inner<D>>);

struct Inner<D: Backend> {
    databases: Mutex<HashMap<String, Database<D>>>,
    /// What asks them whether they answer.
    watching: Tasks,
    stopped: CancellationToken,
}

impl<D: Backend> Clone for Pools<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Backend> Pools<D> {
    pub(super) async fn database(&self, place: &Place) -> Result<Database<D>> {
        let mut databases = self.0.databases.lock().await;
        if let Some(database) = databases.get(&place.url) {
            return Ok(database.clone());
        }
        let database = Database::open(place).await?;
        databases.insert(place.url.clone(), database.clone());
        // SQLite runs in this process: there is no connection to lose.
        if database.dialect() != Dialect::Sqlite {
            self.0.watching.spawn(database.clone().watch(self.0.stopped.clone()));
        }
        Ok(database)
    }
}

impl<D: Backend> Dependency for Pools<D> {
    type Options = ();

    const SCOPE: Scope = Scope::Process;

    async fn setup(_: &SetupContext, (): ()) -> Result<Self> {
        let (watching, stopped) = (Tasks::new(), CancellationToken::new());
        Ok(Self(Arc::new(Inner { databases: Mutex::default(), watching, stopped })))
    }

    fn unready(&self) -> Option<String> {
        // Held while a database is connected to, which is before the program could be ready.
        let databases = self.0.databases.try_lock().ok()?;
        let mut reasons: Vec<_> = databases.values().filter_map(Database::unready).collect();
        reasons.sort_unstable();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    async fn stop(&self) -> Result<()> {
        self.0.stopped.cancel();
        self.0.watching.join().await;
        let databases = std::mem::take(&mut *self.0.databases.lock().await);
        for database in databases.into_values() {
            database.close().await;
        }
        Ok(())
    }
}
