//! Deletes what is over, of every database that remembers.

use std::{sync::atomic::Ordering, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    Result,
    dependency::{Dependency, Scope, SetupContext},
    sql::{Database, backend::Backend},
    task::Tasks,
};

/// How many rows one statement deletes: few enough to hold up nobody else.
const SWEPT_AT_ONCE: i64 = 1000;

/// The sweeps of one process. Several at once, of several instances, do no harm.
pub(super) struct Sweeper<D: Backend> {
    tasks: Tasks,
    stop: CancellationToken,
    of: std::marker::PhantomData<fn() -> D>,
}

impl<D: Backend> Clone for Sweeper<D> {
    fn clone(&self) -> Self {
        Self { tasks: self.tasks.clone(), stop: self.stop.clone(), of: self.of }
    }
}

impl<D: Backend> Dependency for Sweeper<D> {
    type Options = ();

    const SCOPE: Scope = Scope::Process;

    async fn setup(_: &SetupContext, (): ()) -> Result<Self> {
        Ok(Self { tasks: Tasks::new(), stop: CancellationToken::new(), of: std::marker::PhantomData })
    }

    async fn stop(&self) -> Result<()> {
        self.stop.cancel();
        self.tasks.join().await;
        Ok(())
    }
}

impl<D: Backend> Sweeper<D> {
    /// Sweeps a database from now on, once for all services that use it.
    pub(super) fn watch(&self, database: &Database<D>, every: Duration) {
        if database.0.inbox.is_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (database, stop) = (database.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
                if let Err(error) = database.sweep().await {
                    tracing::warn!(
                        database = database.address(),
                        error = error.chain(),
                        "what is over could not be deleted"
                    );
                }
            }
        });
    }
}

impl<D: Backend> Database<D> {
    async fn sweep(&self) -> Result<()> {
        let doing = "deleting answers that were kept long enough";
        loop {
            let sql = self.0.inbox.statements.sweep.sql();
            let deleted = self.count(doing, sql, vec![SWEPT_AT_ONCE.into()]).await?;
            if i64::try_from(deleted).is_ok_and(|deleted| deleted < SWEPT_AT_ONCE) {
                return Ok(());
            }
        }
    }
}
