//! The tables of the outbox, and all SQL that reads and writes them.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::row::Row;
use crate::{
    Result,
    sql::{
        Database, Dialect,
        backend::{Backend, Cell, Cells, millis},
        schema::{Tables, Version},
    },
};

/// `due` is when a message is to go, and `not_before` when it may be tried: 0 is now, later is a delay or a pause after a refusal.
///
/// Strict on SQLite: one row of another type, written by hand, would keep all others from being read.
pub(in crate::sql) const TABLES: Tables = Tables {
    component: "outbox",
    versions: &[Version {
        sqlite: &[
            "CREATE TABLE kinoko_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, ordered_by TEXT NOT NULL, message_id TEXT NOT NULL, \
             exchange TEXT NOT NULL, routing_key TEXT NOT NULL, properties TEXT NOT NULL, body BLOB NOT NULL, due INTEGER NOT NULL, \
             not_before INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT) STRICT",
            HELD,
            LATER,
            LEASE,
            NOBODY,
        ],
        postgres: &[
            "CREATE TABLE kinoko_outbox (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ordered_by TEXT NOT NULL, \
             message_id TEXT NOT NULL, exchange TEXT NOT NULL, routing_key TEXT NOT NULL, properties TEXT NOT NULL, body BYTEA NOT NULL, \
             due BIGINT NOT NULL, not_before BIGINT NOT NULL, attempts BIGINT NOT NULL DEFAULT 0, last_error TEXT)",
            HELD,
            LATER,
            LEASE,
            NOBODY,
        ],
    }],
};

/// Of what holds others back, and of nothing else: what goes out at once is in no index but that of its id.
const HELD: &str = "CREATE INDEX kinoko_outbox_held ON kinoko_outbox (ordered_by, id) WHERE not_before > 0";
const LATER: &str = "CREATE INDEX kinoko_outbox_later ON kinoko_outbox (not_before) WHERE not_before > 0";
const LEASE: &str =
    "CREATE TABLE kinoko_outbox_lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires BIGINT NOT NULL)";
const NOBODY: &str = "INSERT INTO kinoko_outbox_lease VALUES ('relay', '', 0)";

/// On what PostgreSQL tells other processes of a commit, with the id of the one that wrote.
pub(super) const CHANNEL: &str = "kinoko_outbox";

/// What is read at once: so many rows, and so many bytes of bodies; one row in any case.
const ROWS: i64 = 512;
const BYTES: i64 = 16 * 1024 * 1024;

/// Whether there may be more than what was read.
pub(super) fn is_full(rows: &[Row]) -> bool {
    let bytes: usize = rows.iter().map(|row| row.bytes).sum();
    i64::try_from(rows.len()).is_ok_and(|rows| rows >= ROWS) || i64::try_from(bytes).is_ok_and(|bytes| bytes >= BYTES)
}

fn sql(text: String) -> SqlStr {
    AssertSqlSafe(text).into_sql_str()
}

/// Writes a row: values are those of its columns, and in how many milliseconds it is due. Where `wakes`, the commit wakes other processes.
pub(super) fn insert(dialect: Dialect, wakes: bool) -> SqlStr {
    let now = dialect.now_ms();
    let wake = match dialect {
        Dialect::Postgres if wakes => format!(" RETURNING CAST(pg_notify('{CHANNEL}', $8) AS TEXT)"),
        _ => String::new(),
    };
    sql(format!(
        "INSERT INTO kinoko_outbox (ordered_by, message_id, exchange, routing_key, properties, body, due, not_before) \
         VALUES ($1, $2, $3, $4, $5, $6, {now} + $7, CASE WHEN $7 > 0 THEN {now} + $7 ELSE 0 END){wake}"
    ))
}

/// On PostgreSQL rows become visible in the order of their commits, which is not that of their ids unless who writes under one key waits.
pub(super) const ORDERLY: &str = "SELECT pg_advisory_xact_lock(hashtextextended('kinoko_outbox ' || $1, 0))";

/// What there is to do.
pub(super) struct Look {
    /// The database's time, in milliseconds: what is not due by then is not due in this pass.
    pub(super) now: i64,
    pub(super) any: bool,
    /// In how long something else is due.
    pub(super) next: Option<Duration>,
}

impl<D: Backend> Database<D> {
    /// A statement of the outbox, which takes effect at once.
    pub(super) async fn write_outbox(&self, sql: SqlStr, values: Vec<Cell>) -> Result<u64> {
        let _writer = self.writing().await?;
        let written = async { D::execute(&mut *self.0.pool.acquire().await?, sql, values).await };
        written.await.map_err(|error| self.failed("writing to the outbox", error))
    }

    pub(super) async fn read_outbox(&self, sql: SqlStr, values: Vec<Cell>) -> Result<Vec<Cells>> {
        let read = async { D::fetch(&mut *self.0.pool.acquire().await?, sql, values).await };
        read.await.map_err(|error| self.failed("reading the outbox", error))
    }

    pub(super) async fn look(&self) -> Result<Look> {
        let sql = sql(format!(
            "SELECT now, (SELECT MIN(not_before) FROM kinoko_outbox WHERE not_before > 0 AND not_before > now), \
             (SELECT MIN(id) FROM kinoko_outbox WHERE not_before <= now) FROM (SELECT {} AS now) clock",
            self.dialect().now_ms()
        ));
        let rows = self.read_outbox(sql, Vec::new()).await?;
        let read = || {
            let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
            Ok((row.int(0)?, row.optional_int(1)?, row.optional_int(2)?))
        };
        let (now, later, first) = read().map_err(|error| self.failed("reading the outbox", error))?;
        let next = later.map(|later| Duration::from_millis(u64::try_from(later - now).unwrap_or_default()));
        Ok(Look { now, any: first.is_some(), next })
    }

    /// The rows after this one that were due at this time, and that no earlier one of their order holds back.
    pub(super) async fn load(&self, after: i64, now: i64) -> Result<Vec<Row>> {
        const LOAD: &str = "SELECT id, ordered_by, attempts, message_id, exchange, routing_key, properties, body FROM ( \
               SELECT due.*, SUM(LENGTH(body)) OVER (ORDER BY id) AS bytes FROM ( \
                 SELECT * FROM kinoko_outbox one WHERE id > $1 AND not_before <= $2 AND NOT EXISTS ( \
                   SELECT 1 FROM kinoko_outbox before WHERE before.ordered_by = one.ordered_by AND before.id < one.id \
                     AND before.not_before > 0 AND before.not_before > $2) \
                 ORDER BY id LIMIT $3) due) counted \
             WHERE bytes - LENGTH(body) < $4 ORDER BY id";
        let values = vec![after.into(), now.into(), ROWS.into(), BYTES.into()];
        let rows = self.read_outbox(SqlStr::from_static(LOAD), values).await?;
        let rows: sqlx::Result<_> = rows.into_iter().map(Row::read).collect();
        rows.map_err(|error| self.failed("reading the outbox", error))
    }

    pub(super) async fn delete(&self, ids: &[i64]) -> Result<()> {
        let list: Vec<_> = ids.iter().map(i64::to_string).collect();
        let (sql, list) = match self.dialect() {
            Dialect::Sqlite => (
                "DELETE FROM kinoko_outbox WHERE id IN (SELECT value FROM json_each($1))",
                format!("[{}]", list.join(",")),
            ),
            Dialect::Postgres => {
                ("DELETE FROM kinoko_outbox WHERE id = ANY(CAST(string_to_array($1, ',') AS BIGINT[]))", list.join(","))
            }
        };
        self.write_outbox(SqlStr::from_static(sql), vec![list.into()]).await.map(drop)
    }

    /// The broker has refused a row, which is tried again after a pause.
    pub(super) async fn refuse(&self, id: i64, reason: &str, pause: Duration) -> Result<()> {
        let sql = sql(format!(
            "UPDATE kinoko_outbox SET attempts = attempts + 1, last_error = $2, not_before = {} + $3 WHERE id = $1",
            self.dialect().now_ms()
        ));
        // PostgreSQL's texts have no room for it.
        let reason = reason.replace('\0', "");
        self.write_outbox(sql, vec![id.into(), reason.into(), millis(pause).into()]).await.map(drop)
    }
}
