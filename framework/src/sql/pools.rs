//! The databases of one process: services with the same URL share a pool.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Mutex;

use super::{Database, backend::Backend, database::Place};
use crate::{
    Result,
    dependency::{Dependency, Scope, SetupContext},
};

/// All databases of a process, by their URL.
pub(super) struct Pools<D: Backend>(Arc<Mutex<HashMap<String, Database<D>>>>);

impl<D: Backend> Clone for Pools<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Backend> Pools<D> {
    pub(super) async fn database(&self, place: &Place) -> Result<Database<D>> {
        let mut pools = self.0.lock().await;
        if let Some(database) = pools.get(&place.url) {
            return Ok(database.clone());
        }
        let database = Database::open(place).await?;
        pools.insert(place.url.clone(), database.clone());
        Ok(database)
    }
}

impl<D: Backend> Dependency for Pools<D> {
    type Options = ();

    const SCOPE: Scope = Scope::Process;

    async fn setup(_: &SetupContext, (): ()) -> Result<Self> {
        Ok(Self(Arc::default()))
    }

    async fn stop(&self) -> Result<()> {
        let pools = std::mem::take(&mut *self.0.lock().await);
        for database in pools.into_values() {
            database.close().await;
        }
        Ok(())
    }
}
