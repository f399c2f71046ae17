//! The SQL of the log of sagas.
//!
//! Any number of changes comes as one parameter: an array of JSON, which either database reads as rows. So a batch is as many round trips as
//! one change.

use std::sync::LazyLock;

use super::news::CHANNEL;
use crate::{
    saga::SagaState,
    sql::{
        backend::Dialect,
        schema::{Tables, Version},
    },
};

pub(in crate::sql) const TABLES: Tables = Tables {
    component: "saga log",
    versions: &[Version {
        sqlite: &[SAGA, DUE, OVER, TIMELINE_TABLE, SIGNAL_TABLE],
        // SQLite numbers the rows of a table by itself.
        postgres: &[
            SAGA,
            "ALTER TABLE kinoko_saga ADD COLUMN rowid BIGINT GENERATED ALWAYS AS IDENTITY",
            "CREATE INDEX kinoko_saga_rowid ON kinoko_saga (rowid)",
            DUE,
            OVER,
            TIMELINE_TABLE,
            SIGNAL_TABLE,
        ],
    }],
};

const SAGA: &str = "CREATE TABLE kinoko_saga (
    saga TEXT NOT NULL, id TEXT NOT NULL, service TEXT NOT NULL, version BIGINT NOT NULL, steps TEXT NOT NULL,
    state TEXT NOT NULL, input TEXT NOT NULL, context TEXT NOT NULL, progress TEXT NOT NULL,
    seq BIGINT NOT NULL, signals BIGINT NOT NULL, owner TEXT, fence BIGINT NOT NULL, due BIGINT,
    started BIGINT NOT NULL, updated BIGINT NOT NULL,
    PRIMARY KEY (saga, id)
)";

/// What may be removed some day, by when it was changed last.
const OVER: &str =
    "CREATE INDEX kinoko_saga_over ON kinoko_saga (service, saga, updated) WHERE state IN ('completed', 'compensated')";

const DUE: &str = "CREATE INDEX kinoko_saga_due ON kinoko_saga (service, saga, due) WHERE due IS NOT NULL";

/// One row for each transition: what happened is an array.
const TIMELINE_TABLE: &str = "CREATE TABLE kinoko_saga_timeline (
    saga TEXT NOT NULL, id TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, happened TEXT NOT NULL,
    PRIMARY KEY (saga, id, seq)
)";

const SIGNAL_TABLE: &str = "CREATE TABLE kinoko_saga_signal (
    saga TEXT NOT NULL, id TEXT NOT NULL, number BIGINT NOT NULL, name TEXT NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (saga, id, number)
)";

/// What [`rows`](super::rows) reads a saga from, before the clock.
const COLUMNS: [&str; 14] = [
    "saga", "id", "service", "version", "steps", "state", "input", "context", "progress", "seq", "owner", "started",
    "updated", "fence",
];

const ADD_SIGNAL: &str = "INSERT INTO kinoko_saga_signal VALUES ($1, $2, $3, $4, $5)";
pub(super) const TIMELINE: &str =
    "SELECT at, happened FROM kinoko_saga_timeline WHERE saga = $1 AND id = $2 ORDER BY seq";

/// The statements of one dialect.
pub(super) struct Statements {
    /// `[New]` → saga, id, started of those that were not there.
    pub(super) start: String,
    /// `[Told]`: lines of timelines.
    pub(super) tell: String,
    /// `[Append]` → saga, id, signals of those that were changed.
    pub(super) append: String,
    /// `[Renew]` → saga, id, signals of those that are held.
    pub(super) renew: String,
    /// `[{saga, id}]` → saga, id, fence, seq, signals.
    pub(super) standing: String,
    /// service, saga, limit, owner, lease → the columns of those that were taken, and the clock.
    pub(super) claim: String,
    /// saga, id → the columns, and the clock.
    pub(super) load: String,
    /// saga, `[{id}]` → id, number, name, payload, in order.
    pub(super) signals: String,
    /// saga, id → the number of the next signal.
    pub(super) count_signal: String,
    /// saga, id, number, name, payload; on PostgreSQL also what other processes are told.
    pub(super) add_signal: String,
    /// `[{word}]`: tells other processes, where the database can.
    pub(super) tell_others: Option<String>,
    /// service, saga, milliseconds, limit → id of those that were removed.
    pub(super) forget: String,
    /// saga, `[{id}]`: what else there is of them.
    pub(super) forget_parts: [String; 2],
    /// Before a batch of changes, where the database plans by what it guesses of a table.
    pub(super) plan: Option<&'static str>,
    dialect: Dialect,
}

/// Each change is of one row, which its key finds. PostgreSQL takes an array of JSON for 100 rows, and where its statistics have not seen
/// yet how large the table is, it reads all of that for them. Until the end of the transaction.
const BY_KEY: &str = "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), \
                      set_config('enable_seqscan', 'off', true)";

impl Statements {
    pub(super) fn of(dialect: Dialect) -> &'static Self {
        static SQLITE: LazyLock<Statements> = LazyLock::new(|| Statements::new(Dialect::Sqlite));
        static POSTGRES: LazyLock<Statements> = LazyLock::new(|| Statements::new(Dialect::Postgres));
        match dialect {
            Dialect::Sqlite => &SQLITE,
            Dialect::Postgres => &POSTGRES,
        }
    }

    fn new(dialect: Dialect) -> Self {
        let now = dialect.now_ms();
        // SQLite's RETURNING knows the table's columns alone; PostgreSQL's knows those of FROM too, and wants to be told.
        let (of, skip_locked) = match dialect {
            Dialect::Sqlite => ("", ""),
            Dialect::Postgres => ("s.", "FOR UPDATE SKIP LOCKED"),
        };
        let columns = columns(of);
        let changes = |columns| changes(dialect, "$1", columns);
        let start = format!(
            "INSERT INTO kinoko_saga
             SELECT c.saga, c.id, c.service, c.version, c.steps, c.state, c.input, c.context, c.progress, 0, 0, c.owner, 1, {now} + c.lease, {now}, {now}
             FROM {} WHERE true ON CONFLICT DO NOTHING RETURNING saga, id, started",
            changes("saga text, id text, service text, version bigint, steps text, state text, input text, context text, progress text, owner text, lease bigint"),
        );
        let tell = format!(
            "INSERT INTO kinoko_saga_timeline SELECT c.saga, c.id, c.seq, {now}, c.happened FROM {}",
            changes("saga text, id text, seq bigint, happened text"),
        );
        let append = format!(
            "UPDATE kinoko_saga AS s SET seq = c.seq, state = c.state, progress = c.progress, updated = {now},
                owner = CASE WHEN c.keep = 1 THEN s.owner END,
                due = CASE WHEN c.keep = 0 AND s.signals > c.seen THEN {now} ELSE {now} + c.wait END
             FROM {}
             WHERE s.saga = c.saga AND s.id = c.id AND s.fence = c.fence AND s.owner = c.owner AND s.seq = c.seq - 1
             RETURNING {of}saga, {of}id, {of}signals",
            changes(
                "saga text, id text, owner text, fence bigint, seq bigint, state text, progress text, keep bigint, wait bigint, seen bigint"
            ),
        );
        let renew = format!(
            "UPDATE kinoko_saga AS s SET due = {now} + c.lease FROM {}
             WHERE s.saga = c.saga AND s.id = c.id AND s.fence = c.fence AND s.owner = c.owner
             RETURNING {of}saga, {of}id, {of}signals",
            changes("saga text, id text, owner text, fence bigint, lease bigint"),
        );
        let standing = format!(
            "SELECT s.saga, s.id, s.fence, s.seq, s.signals FROM kinoko_saga AS s JOIN {} ON s.saga = c.saga AND s.id = c.id",
            changes("saga text, id text"),
        );
        let claim = format!(
            "UPDATE kinoko_saga AS s SET fence = s.fence + 1, owner = $4, due = {now} + $5
             FROM (
                SELECT saga, id FROM kinoko_saga WHERE service = $1 AND saga = $2 AND due <= {now} ORDER BY due LIMIT $3 {skip_locked}
             ) AS c
             WHERE s.saga = c.saga AND s.id = c.id
             RETURNING {columns}, {now}",
        );
        let load = format!("SELECT {columns}, {now} FROM kinoko_saga AS s WHERE saga = $1 AND id = $2");
        let signals = format!(
            "SELECT s.id, s.number, s.name, s.payload FROM kinoko_saga_signal AS s JOIN {} ON s.saga = $1 AND s.id = c.id ORDER BY s.id, s.number",
            self::changes(dialect, "$2", "id text"),
        );
        let count_signal = format!(
            "UPDATE kinoko_saga SET signals = signals + 1, due = CASE WHEN owner IS NULL THEN {now} ELSE due END
             WHERE saga = $1 AND id = $2 RETURNING signals",
        );
        let (add_signal, tell_others) = match dialect {
            Dialect::Sqlite => (ADD_SIGNAL.to_owned(), None),
            Dialect::Postgres => (
                format!("{ADD_SIGNAL} RETURNING CAST(pg_notify('{CHANNEL}', $6) AS TEXT)"),
                Some(format!("SELECT CAST(pg_notify('{CHANNEL}', c.word) AS TEXT) FROM {}", changes("word text"))),
            ),
        };
        // Chosen once: PostgreSQL might ask again for each row otherwise, and remove more than the limit.
        let forget = format!(
            "WITH old AS MATERIALIZED (
                SELECT saga, id FROM kinoko_saga
                WHERE service = $1 AND saga = $2 AND state IN ('completed', 'compensated') AND due IS NULL AND updated <= {now} - $3
                ORDER BY updated LIMIT $4 {skip_locked}
             )
             DELETE FROM kinoko_saga WHERE (saga, id) IN (SELECT saga, id FROM old) RETURNING id",
        );
        let forget_parts = ["kinoko_saga_timeline", "kinoko_saga_signal"].map(|table| {
            format!(
                "DELETE FROM {table} WHERE saga = $1 AND id IN (SELECT c.id FROM {})",
                self::changes(dialect, "$2", "id text")
            )
        });
        Self {
            start,
            tell,
            append,
            renew,
            standing,
            claim,
            load,
            signals,
            count_signal,
            add_signal,
            tell_others,
            forget,
            forget_parts,
            plan: match dialect {
                Dialect::Sqlite => None,
                Dialect::Postgres => Some(BY_KEY),
            },
            dialect,
        }
    }

    /// saga, service, limit, offset → the columns, and the clock.
    pub(super) fn list(&self, states: &[SagaState]) -> String {
        let states = match states {
            [] => String::new(),
            // Words of our own.
            states => {
                let words: Vec<String> = states.iter().map(|state| format!("'{}'", state.as_str())).collect();
                format!(" AND state IN ({})", words.join(", "))
            }
        };
        format!(
            "SELECT {}, {} FROM kinoko_saga AS s
             WHERE (CAST($1 AS TEXT) IS NULL OR saga = $1) AND (CAST($2 AS TEXT) IS NULL OR service = $2){states}
             ORDER BY rowid DESC LIMIT $3 OFFSET $4",
            columns(""),
            self.dialect.now_ms(),
        )
    }
}

fn columns(of: &str) -> String {
    COLUMNS.map(|column| format!("{of}{column}")).join(", ")
}

/// A parameter of JSON as rows `c`, with these columns: `id text, seq bigint`.
fn changes(dialect: Dialect, parameter: &str, columns: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("jsonb_to_recordset({parameter}::jsonb) AS c ({columns})"),
        Dialect::Sqlite => {
            let names = columns.split(", ").filter_map(|column| column.split(' ').next());
            let values: Vec<String> = names.map(|name| format!("value ->> '$.{name}' AS {name}")).collect();
            format!("(SELECT {} FROM json_each({parameter})) AS c", values.join(", "))
        }
    }
}
