//! The databases, and the one way in which kinoko's own tables are read and written on all of them.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{
    Any, ColumnIndex, Decode, Encode, Executor, IntoArguments, Postgres, Row, SqlStr, Sqlite, Type, TypeInfo, ValueRef,
    migrate::Migrate,
};

/// Which SQL a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

impl Dialect {
    /// The dialect of a URL, by its scheme.
    pub(super) fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }

    /// What begins a transaction that will write.
    ///
    /// SQLite's own `BEGIN` takes the lock at the first write, and fails at once where another one has written since.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// The database's own clock, which all instances share, in milliseconds since 1970: an expression.
    pub(super) fn now_ms(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }
}

/// What is added to the database's clock. At most a thousand years, so that the sum stays a number.
pub(super) fn millis(time: Duration) -> i64 {
    const LONGEST: i64 = 1000 * 365 * 24 * 60 * 60 * 1000;
    i64::try_from(time.as_millis()).map_or(LONGEST, |millis| millis.min(LONGEST))
}

/// A database that [`Database`](super::Database) works with: [`Any`], which is either, [`Postgres`] or [`Sqlite`].
///
/// Sealed: what it asks beyond sqlx is how kinoko's own tables are read and written.
pub trait Backend: sqlx::Database<Connection: Migrate> + sealed::Sealed {
    /// The one dialect of its connections; `None`: the URL decides.
    const DIALECT: Option<Dialect>;

    /// Runs a statement of kinoko's own. Returns how many rows it touched.
    #[doc(hidden)]
    fn execute(conn: &mut Self::Connection, sql: SqlStr, values: Vec<Cell>) -> BoxFuture<'_, sqlx::Result<u64>>;

    /// Runs a query of kinoko's own.
    #[doc(hidden)]
    fn fetch(conn: &mut Self::Connection, sql: SqlStr, values: Vec<Cell>) -> BoxFuture<'_, sqlx::Result<Vec<Cells>>>;
}

mod sealed {
    #[allow(unnameable_types, reason = "that is what seals")]
    pub trait Sealed {}
}

/// A value in kinoko's own tables, which have columns of three types.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// `BIGINT`, `INTEGER`
    Int(Option<i64>),
    /// `TEXT`
    Text(Option<String>),
    /// `BYTEA`, `BLOB`
    Bytes(Option<Vec<u8>>),
}

macro_rules! cells {
    ($($type:ty => $variant:ident),*) => { $(
        impl From<$type> for Cell {
            fn from(value: $type) -> Self {
                Self::$variant(Some(value.into()))
            }
        }

        impl From<Option<$type>> for Cell {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(Into::into))
            }
        }
    )* };
}

cells!(i64 => Int, i32 => Int, String => Text, &str => Text, Vec<u8> => Bytes, &[u8] => Bytes);

/// One row of kinoko's own tables.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq)]
pub struct Cells(Vec<Cell>);

impl Cells {
    /// The integer in a column.
    ///
    /// # Errors
    ///
    /// Where it is something else, or NULL.
    pub fn int(&self, column: usize) -> sqlx::Result<i64> {
        self.optional_int(column)?.ok_or_else(|| unexpected(column, "NULL"))
    }

    /// The text in a column.
    ///
    /// # Errors
    ///
    /// Where it is something else, or NULL.
    pub fn text(&mut self, column: usize) -> sqlx::Result<String> {
        self.optional_text(column)?.ok_or_else(|| unexpected(column, "NULL"))
    }

    /// The bytes in a column.
    ///
    /// # Errors
    ///
    /// Where it is something else, or NULL.
    pub fn bytes(&mut self, column: usize) -> sqlx::Result<Vec<u8>> {
        self.optional_bytes(column)?.ok_or_else(|| unexpected(column, "NULL"))
    }

    /// The integer in a column, or NULL.
    ///
    /// # Errors
    ///
    /// Where it is something else.
    pub fn optional_int(&self, column: usize) -> sqlx::Result<Option<i64>> {
        match self.0.get(column) {
            Some(Cell::Int(value)) => Ok(*value),
            Some(Cell::Text(None) | Cell::Bytes(None)) => Ok(None),
            other => Err(unexpected(column, other)),
        }
    }

    /// The text in a column, or NULL. Taken out.
    ///
    /// # Errors
    ///
    /// Where it is something else.
    pub fn optional_text(&mut self, column: usize) -> sqlx::Result<Option<String>> {
        match self.0.get_mut(column) {
            Some(Cell::Text(value)) => Ok(value.take()),
            Some(Cell::Int(None) | Cell::Bytes(None)) => Ok(None),
            other => Err(unexpected(column, other)),
        }
    }

    /// The bytes in a column, or NULL. Taken out.
    ///
    /// # Errors
    ///
    /// Where it is something else.
    pub fn optional_bytes(&mut self, column: usize) -> sqlx::Result<Option<Vec<u8>>> {
        match self.0.get_mut(column) {
            Some(Cell::Bytes(value)) => Ok(value.take()),
            Some(Cell::Int(None) | Cell::Text(None)) => Ok(None),
            other => Err(unexpected(column, other)),
        }
    }
}

#[cold]
fn unexpected(column: usize, found: impl std::fmt::Debug) -> sqlx::Error {
    let text = format!("column {column} of a table of kinoko's own holds {found:?}: who else writes to it?");
    sqlx::Error::Protocol(text)
}

/// `query` with its values.
fn bound<DB>(sql: SqlStr, values: Vec<Cell>) -> sqlx::query::Query<'static, DB, DB::Arguments>
where
    DB: sqlx::Database,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<Vec<u8>>: Encode<'static, DB> + Type<DB>,
{
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Cell::Int(value) => query.bind(value),
        Cell::Text(value) => query.bind(value),
        Cell::Bytes(value) => query.bind(value),
    })
}

async fn execute<DB>(conn: &mut DB::Connection, sql: SqlStr, values: Vec<Cell>) -> sqlx::Result<DB::QueryResult>
where
    DB: sqlx::Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<Vec<u8>>: Encode<'static, DB> + Type<DB>,
{
    bound::<DB>(sql, values).execute(conn).await
}

async fn fetch<DB>(conn: &mut DB::Connection, sql: SqlStr, values: Vec<Cell>) -> sqlx::Result<Vec<Cells>>
where
    DB: sqlx::Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    usize: ColumnIndex<DB::Row>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<Vec<u8>>: Encode<'static, DB> + Type<DB>,
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'r> Vec<u8>: Decode<'r, DB> + Type<DB>,
{
    let rows = bound::<DB>(sql, values).fetch_all(conn).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = Vec::with_capacity(row.len());
        for column in 0..row.len() {
            let value = row.try_get_raw(column)?;
            let (is_null, name) = (value.is_null(), value.type_info().name().to_owned());
            cells.push(match &*name {
                _ if is_null => Cell::Int(None),
                "BIGINT" | "INT8" | "INTEGER" => row.try_get::<i64, _>(column)?.into(),
                "TEXT" => row.try_get::<String, _>(column)?.into(),
                "BLOB" | "BYTEA" => row.try_get::<Vec<u8>, _>(column)?.into(),
                other => return Err(unexpected(column, other)),
            });
        }
        all.push(Cells(cells));
    }
    Ok(all)
}

macro_rules! backends {
    ($($database:ty => $dialect:expr),*) => { $(
        impl sealed::Sealed for $database {}

        impl Backend for $database {
            const DIALECT: Option<Dialect> = $dialect;

            fn execute(conn: &mut Self::Connection, sql: SqlStr, values: Vec<Cell>) -> BoxFuture<'_, sqlx::Result<u64>> {
                Box::pin(async move { Ok(execute::<$database>(conn, sql, values).await?.rows_affected()) })
            }

            fn fetch(conn: &mut Self::Connection, sql: SqlStr, values: Vec<Cell>) -> BoxFuture<'_, sqlx::Result<Vec<Cells>>> {
                Box::pin(fetch::<$database>(conn, sql, values))
            }
        }
    )* };
}

backends!(Any => None, Sqlite => Some(Dialect::Sqlite), Postgres => Some(Dialect::Postgres));
