//! A run's hold on its key: one row, held by a lease on the database's clock.

use std::{sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use uuid::Uuid;

use super::{identity::Identity, kept::Kept};
use crate::{
    Result,
    context::WorkerContext,
    sql::{
        Database,
        backend::{Backend, Cell, Cells, Dialect, millis},
        schema::{Tables, Version},
        tx::Slot,
    },
};

/// A row is of no more account when its `until` has passed: a run that died, or an answer whose window is over. Nobody need have deleted it.
pub(in crate::sql) const TABLES: Tables = Tables {
    component: "inbox",
    versions: &[Version {
        sqlite: &[
            "CREATE TABLE kinoko_inbox (
                service TEXT NOT NULL, method TEXT NOT NULL, caller TEXT NOT NULL, key TEXT NOT NULL,
                state TEXT NOT NULL, fingerprint BLOB NOT NULL, owner TEXT NOT NULL, fence INTEGER NOT NULL, until INTEGER NOT NULL,
                content_type TEXT, body BLOB,
                PRIMARY KEY (service, method, caller, key))",
            "CREATE INDEX kinoko_inbox_until ON kinoko_inbox (until)",
        ],
        postgres: &[
            "CREATE TABLE kinoko_inbox (
                service TEXT NOT NULL, method TEXT NOT NULL, caller TEXT NOT NULL, key TEXT NOT NULL,
                state TEXT NOT NULL, fingerprint BYTEA NOT NULL, owner TEXT NOT NULL, fence BIGINT NOT NULL, until BIGINT NOT NULL,
                content_type TEXT, body BYTEA,
                PRIMARY KEY (service, method, caller, key))",
            "CREATE INDEX kinoko_inbox_until ON kinoko_inbox (until)",
        ],
    }],
};

/// What is asked of the table, in one dialect.
pub(super) struct Statements {
    claim: Statement,
    look: Statement,
    renew: Statement,
    keep: Statement,
    release: Statement,
    pub(super) sweep: Statement,
}

pub(super) struct Statement(Arc<str>);

impl Statement {
    pub(super) fn sql(&self) -> SqlStr {
        AssertSqlSafe(self.0.clone()).into_sql_str()
    }
}

impl Statements {
    pub(super) fn of(dialect: Dialect) -> Self {
        let written = |sql: &str| {
            let sql = sql.replace("{mine}", "{key} AND owner = $5 AND state = 'running'");
            let sql = sql.replace("{key}", "service = $1 AND method = $2 AND caller = $3 AND key = $4");
            Statement(sql.replace("{now}", dialect.now_ms()).into())
        };
        Self {
            claim: written(
                "INSERT INTO kinoko_inbox (service, method, caller, key, owner, state, fingerprint, fence, until) \
                 VALUES ($1, $2, $3, $4, $5, 'running', $6, 1, {now} + $7) \
                 ON CONFLICT (service, method, caller, key) DO UPDATE SET owner = excluded.owner, state = 'running', \
                 fingerprint = excluded.fingerprint, fence = kinoko_inbox.fence + 1, until = excluded.until, content_type = NULL, body = NULL \
                 WHERE kinoko_inbox.until <= {now} RETURNING fence",
            ),
            look: written(
                "SELECT state, fingerprint, content_type, body FROM kinoko_inbox WHERE {key} AND until > {now}",
            ),
            renew: written("UPDATE kinoko_inbox SET until = {now} + $6 WHERE {mine}"),
            keep: written(
                "UPDATE kinoko_inbox SET until = {now} + $6, state = $7, content_type = $8, body = $9 WHERE {mine}",
            ),
            release: written("DELETE FROM kinoko_inbox WHERE {mine}"),
            sweep: written(match dialect {
                Dialect::Sqlite => {
                    "DELETE FROM kinoko_inbox WHERE until <= {now} AND rowid IN \
                     (SELECT rowid FROM kinoko_inbox WHERE until <= {now} ORDER BY until LIMIT $1)"
                }
                // What another instance deletes, or a run takes over, it does not wait for.
                Dialect::Postgres => {
                    "DELETE FROM kinoko_inbox WHERE until <= {now} AND ctid IN \
                     (SELECT ctid FROM kinoko_inbox WHERE until <= {now} ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED)"
                }
            }),
        }
    }
}

/// One run's hold on its key, from before it is taken.
pub(super) struct Claim<D: Backend> {
    database: Database<D>,
    identity: Identity,
    fingerprint: Vec<u8>,
    /// This run's and no other's, so that who was taken for dead writes nothing any more.
    owner: String,
    lease: Duration,
}

/// What is known of a key.
pub(super) enum Known {
    /// Nobody is at it: it is this run's now.
    Free,
    /// Another run is at it.
    InFlight,
    /// It was done.
    Kept(Kept),
    /// It is another request's.
    Reused,
}

impl<D: Backend> Claim<D> {
    pub(super) fn new(database: &Database<D>, identity: Identity, fingerprint: Vec<u8>, lease: Duration) -> Self {
        Self { database: database.clone(), identity, fingerprint, owner: Uuid::new_v4().to_string(), lease }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    fn statements(&self) -> &Statements {
        &self.database.0.inbox.statements
    }

    /// The key's values, which all statements begin with, and what follows them.
    fn values<const N: usize>(&self, more: [Cell; N]) -> Vec<Cell> {
        let Identity { service, method, caller, key } = &self.identity;
        let mut values = vec![(*service).into(), (*method).into(), caller.as_str().into(), key.as_str().into()];
        values.extend(more);
        values
    }

    fn owned<const N: usize>(&self, more: [Cell; N]) -> Vec<Cell> {
        let mut values = self.values([self.owner.as_str().into()]);
        values.extend(more);
        values
    }

    /// Takes the key, where nobody is at it. With `seen`, who was seen there is looked at first.
    ///
    /// # Errors
    ///
    /// The database's. The key may be taken all the same: [`release`](Self::release) it.
    pub(super) async fn take(&self, seen: bool) -> Result<Known> {
        // On SQLite a look waits for no writer, and the run that is at it may be one.
        if (seen || self.database.dialect() == Dialect::Sqlite)
            && let Some(known) = self.look().await?
        {
            return Ok(known);
        }
        let values = self.owned([self.fingerprint.as_slice().into(), millis(self.lease).into()]);
        let rows = self.database.write("claiming an idempotency key", self.statements().claim.sql(), values).await?;
        let Some(row) = rows.first() else {
            // It went between the two statements: whoever looks again finds it free.
            return Ok(self.look().await?.unwrap_or(Known::InFlight));
        };
        if row.int(0)? > 1 {
            let Identity { service, method, key, .. } = &self.identity;
            tracing::warn!(
                service,
                method,
                key,
                "taken over from a run that gave no sign of life for its lease, or whose answer was kept long enough"
            );
        }
        Ok(Known::Free)
    }

    async fn look(&self) -> Result<Option<Known>> {
        let rows =
            self.database.read("looking at an idempotency key", self.statements().look.sql(), self.values([])).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let state = row.text(0)?;
        if row.bytes(1)? != self.fingerprint {
            return Ok(Some(Known::Reused));
        }
        if state == "running" {
            return Ok(Some(Known::InFlight));
        }
        let kept = Kept::read(&state, row.optional_text(2)?, row.optional_bytes(3)?)?;
        Ok(Some(Known::Kept(kept)))
    }

    /// Says that the run is alive. `false`: another one has taken its place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub(super) async fn renew(&self) -> Result<bool> {
        let values = self.owned([millis(self.lease).into()]);
        self.database.write_counted("renewing an idempotency key", self.statements().renew.sql(), values).await
    }

    fn keeping(&self, kept: &Kept, window: Duration) -> (SqlStr, Vec<Cell>) {
        let (state, content_type, body) = kept.cells();
        (self.statements().keep.sql(), self.owned([millis(window).into(), state.into(), content_type, body]))
    }

    /// Keeps an answer in the worker's own transaction. `Ok(None)`: it has none. `Ok(Some(false))`: another run has taken its place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub(super) async fn keep_with(&self, slot: &Slot<D>, kept: &Kept, window: Duration) -> Result<Option<bool>> {
        let (sql, values) = self.keeping(kept, window);
        match slot.execute(sql, values).await.transpose() {
            Ok(rows) => Ok(rows.map(|rows| rows > 0)),
            Err(error) => Err(self.database.failed("keeping an answer", error)),
        }
    }

    /// Keeps an answer. `false`: another run has taken its place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub(super) async fn keep(&self, kept: &Kept, window: Duration) -> Result<bool> {
        let (sql, values) = self.keeping(kept, window);
        self.database.write_counted("keeping an answer", sql, values).await
    }

    /// Lets the next run begin. What was kept stays.
    ///
    /// # Errors
    ///
    /// The database's.
    pub(super) async fn release(&self) -> Result<bool> {
        self.database
            .write_counted("releasing an idempotency key", self.statements().release.sql(), self.owned([]))
            .await
    }

    /// Whether the worker's own transaction keeps every other one from writing, its own lease's renewal included.
    pub(super) fn is_locked_by(&self, cx: &WorkerContext) -> bool {
        self.database.dialect() == Dialect::Sqlite && self.slot(cx).is_some()
    }

    /// Where the worker's transaction lies when its method is over.
    pub(super) fn slot(&self, cx: &WorkerContext) -> Option<Arc<Slot<D>>> {
        cx.extension::<Slot<D>>()
    }
}

impl<D: Backend> Database<D> {
    /// Runs a statement of kinoko's own that writes, on its own.
    pub(super) async fn write(&self, doing: &str, sql: SqlStr, values: Vec<Cell>) -> Result<Vec<Cells>> {
        let _writer = self.writing().await?;
        self.read(doing, sql, values).await
    }

    async fn read(&self, doing: &str, sql: SqlStr, values: Vec<Cell>) -> Result<Vec<Cells>> {
        let mut connection = self.0.pool.acquire().await.map_err(|error| self.failed(doing, error))?;
        D::fetch(&mut connection, sql, values).await.map_err(|error| self.failed(doing, error))
    }

    /// Gives whether it touched a row.
    async fn write_counted(&self, doing: &str, sql: SqlStr, values: Vec<Cell>) -> Result<bool> {
        Ok(self.count(doing, sql, values).await? > 0)
    }

    /// Gives how many rows it touched.
    pub(super) async fn count(&self, doing: &str, sql: SqlStr, values: Vec<Cell>) -> Result<u64> {
        let _writer = self.writing().await?;
        let mut connection = self.0.pool.acquire().await.map_err(|error| self.failed(doing, error))?;
        D::execute(&mut connection, sql, values).await.map_err(|error| self.failed(doing, error))
    }
}
