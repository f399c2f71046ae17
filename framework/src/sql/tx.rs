//! `Tx`: a transaction, of one worker or of one's own.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use sqlx::{Any, SqlStr, Transaction};
use tokio::sync::OwnedMutexGuard;

use super::{
    Database,
    backend::{Backend, Cell},
    lost::is_lost,
    outbox::Written,
};
use crate::{
    Error, ErrorKind, Result,
    context::{WorkerContext, WorkerHook, WorkerOutcome},
    dependency::{FromWorker, Has},
    protocol::{Fault, ServiceError},
};

/// A transaction. As `#[inject] mut tx: Tx` it is the worker's: begun before the method, committed when it returned `Ok` and before its reply
/// leaves, rolled back when it failed, panicked, was cancelled or is over its deadline.
///
/// It dereferences to sqlx's connection: `sqlx::query("…").execute(&mut *tx)`.
///
/// A failed commit is the call's failure: no caller is told of a success that was not kept. Where the connection was lost meanwhile it is
/// unknown which of both it was ([`ErrorKind::OutcomeUnknown`]).
///
/// The service needs a [`Database`] field; without one it does not compile.
///
/// # Examples
///
/// ```
/// use kinoko::{prelude::*, sql::{Database, Tx}};
///
/// #[derive(Dependencies)]
/// struct Ledger {
///     #[dependency(url = "sqlite::memory:")]
///     db: Database,
/// }
///
/// #[service(name = "ledger")]
/// impl Ledger {
///     #[rpc]
///     async fn add(&self, #[inject] mut tx: Tx, cents: i64) -> kinoko::Result<()> {
///         sqlx::query("CREATE TABLE IF NOT EXISTS entry (cents BIGINT)").execute(&mut *tx).await?;
///         sqlx::query("INSERT INTO entry VALUES ($1)").bind(cents).execute(&mut *tx).await?;
///         if cents < 0 {
///             return Err(kinoko::Error::msg("no debts here"));    // nothing is kept
///         }
///         Ok(())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// # let app = App::new().service::<Ledger>().start().await?;
/// # let ledger = app.client::<LedgerClient>();
/// # ledger.add(5).await?;
/// # assert!(ledger.add(-5).await.is_err());
/// # app.stop().await }
/// ```
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Tx<D: Backend = Any> {
    /// `None` after it has ended.
    open: Option<Open<D>>,
    /// Where it goes when whom it is lent to is done with it; `None`: nowhere, it is one's own.
    slot: Option<Arc<Slot<D>>>,
}

/// A transaction that has begun.
pub(super) struct Open<D: Backend> {
    pub(super) transaction: Transaction<'static, D>,
    pub(super) database: Database<D>,
    /// What goes out with its commit.
    pub(super) outbox: Written,
    /// Dropped after the transaction: the next writer begins then.
    pub(super) _writer: Option<OwnedMutexGuard<()>>,
}

impl<D: Backend> Tx<D> {
    pub(super) fn new(open: Open<D>) -> Self {
        Self { open: Some(open), slot: None }
    }

    /// One that goes back where it came from when it is dropped.
    pub(super) fn lent(open: Open<D>) -> (Self, Arc<Slot<D>>) {
        let slot = Arc::new(Slot(Mutex::new(None)));
        (Self { open: Some(open), slot: Some(slot.clone()) }, slot)
    }

    /// Keeps what it did.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for one that is lent: the worker's own, and that of [`Database::transaction`]; [`ErrorKind::OutcomeUnknown`] where the
    /// connection was lost; what the database says, such as a constraint that is checked at the end.
    pub async fn commit(mut self) -> Result<()> {
        self.own("committed")?;
        match self.open.take() {
            Some(open) => open.commit().await,
            None => Ok(()),
        }
    }

    /// Undoes what it did, and waits for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for one that is lent: an error that the method, or the closure, returns rolls it back; what the database says.
    pub async fn rollback(mut self) -> Result<()> {
        self.own("rolled back")?;
        match self.open.take() {
            Some(open) => open.rollback().await,
            None => Ok(()),
        }
    }

    /// What the outbox writes with.
    pub(super) fn parts(&mut self) -> (&mut D::Connection, &mut Written, &Database<D>) {
        let Open { transaction, outbox, database, .. } = self.open.as_mut().expect("it ends by value");
        (transaction, outbox, database)
    }

    fn own(&self, what: &str) -> Result<()> {
        if self.slot.is_none() {
            return Ok(());
        }
        let text = format!(
            "this transaction is {what} by whoever lent it: by the worker when its method has returned, by `Database::transaction` when \
             its closure has"
        );
        Err(Error::new(ErrorKind::Usage, text))
    }
}

impl<D: Backend> Open<D> {
    pub(super) async fn commit(self) -> Result<()> {
        let Self { transaction, database, outbox, _writer: writer } = self;
        let committed = transaction.commit().await;
        // The next one may write, the relay among them.
        drop(writer);
        outbox.ended(&database, committed.is_ok());
        committed.map_err(|error| {
            // Whoever does not understand the answer does not know it either.
            let is_unknown = is_lost(&error) || matches!(error, sqlx::Error::Protocol(_));
            let error = database.failed("committing a transaction", error);
            if is_unknown { error.with_kind(ErrorKind::OutcomeUnknown) } else { error }
        })
    }

    pub(super) async fn rollback(self) -> Result<()> {
        match self.transaction.rollback().await {
            // The database has undone what it has no connection to any more.
            Err(error) if is_lost(&error) => {
                self.database.suspect();
                Ok(())
            }
            done => done.map_err(|error| self.database.failed("rolling back a transaction", error)),
        }
    }
}

impl<D: Backend> Drop for Tx<D> {
    fn drop(&mut self) {
        if let (Some(open), Some(slot)) = (self.open.take(), &self.slot) {
            *slot.lock() = Some(open);
        }
    }
}

impl<D: Backend> Deref for Tx<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        &self.open.as_ref().expect("it ends by value").transaction
    }
}

impl<D: Backend> DerefMut for Tx<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        &mut self.open.as_mut().expect("it ends by value").transaction
    }
}

impl<D: Backend> fmt::Debug for Tx<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("injected", &self.slot.is_some()).finish_non_exhaustive()
    }
}

/// Where a transaction lies when whom it was lent to is done with it. Of a worker's the context has it as an extension, so that what belongs
/// to the same commit can be written after the method and before it.
pub(super) struct Slot<D: Backend>(Mutex<Option<Open<D>>>);

impl<D: Backend> Slot<D> {
    /// Runs a statement of kinoko's own in the transaction. `None`: the method has not left it here.
    pub(super) async fn execute(&self, sql: SqlStr, values: Vec<Cell>) -> Option<sqlx::Result<u64>> {
        let mut open = self.take()?;
        let done = D::execute(&mut open.transaction, sql, values).await;
        *self.lock() = Some(open);
        Some(done)
    }

    pub(super) fn take(&self) -> Option<Open<D>> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Open<D>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S, D> FromWorker<S> for Tx<D>
where
    S: Has<Database<D>> + Sync,
    D: Backend,
{
    async fn from_worker(service: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        if cx.extension::<Slot<D>>().is_some() {
            // On SQLite the second would wait for the first, and so for itself.
            let text = "a worker has one transaction: inject one `Tx`, and pass it on as `&mut tx`";
            return Err(Error::new(ErrorKind::Usage, text).to_fault());
        }
        let open = service.get().open_transaction().await.map_err(|error| error.to_fault())?;
        let (tx, slot) = Self::lent(open);
        cx.extend(slot.clone());
        cx.attach(End(slot));
        Ok(tx)
    }
}

/// Ends the transaction as the worker ended.
struct End<D: Backend>(Arc<Slot<D>>);

#[async_trait]
impl<D: Backend> WorkerHook for End<D> {
    async fn result(&mut self, outcome: WorkerOutcome<'_>) -> Result<()> {
        let open = self.0.take();
        match (outcome, open) {
            (WorkerOutcome::Ok, Some(open)) => open.commit().await,
            (WorkerOutcome::Ok, None) => Err(Error::msg(
                "the transaction was kept beyond its method, in a task or a field, so it cannot be committed with it: it will be rolled back",
            )),
            // Dropped it is rolled back as well, when the connection is used next: too late for whoever waits for its locks.
            (WorkerOutcome::Failed(_) | WorkerOutcome::Cancelled(_), Some(open)) => open.rollback().await,
            (WorkerOutcome::Failed(_) | WorkerOutcome::Cancelled(_), None) => Ok(()),
            (WorkerOutcome::Partly(_), open) => {
                if let Some(open) = open {
                    open.rollback().await?;
                }
                Err(Error::msg(
                    "a part of the batch failed, so the transaction was rolled back, and all of it is tried again",
                ))
            }
        }
    }
}
