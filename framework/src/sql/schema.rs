//! kinoko's own tables: made where they are missing, and brought up to date, by one instance at a time.

use sqlx::{SqlSafeStr, SqlStr};

use super::{
    Database, Tx,
    backend::{Backend, Dialect},
    inbox, outbox,
};
use crate::{Error, ErrorKind, Result};

/// The tables of one part of kinoko.
pub(super) struct Tables {
    /// `outbox`, …: what the table `kinoko_schema` knows it by.
    pub(super) component: &'static str,
    /// What leads from each version to the next, the first from nothing.
    pub(super) versions: &'static [Version],
}

/// The statements that lead to one version.
pub(super) struct Version {
    pub(super) sqlite: &'static [&'static str],
    pub(super) postgres: &'static [&'static str],
}

impl Version {
    fn statements(&self, dialect: Dialect) -> &'static [&'static str] {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// The tables of all parts: what [`own_tables`] tells.
const ALL: &[&Tables] = &[
    &inbox::TABLES,
    &outbox::TABLES,
    #[cfg(feature = "saga")]
    &super::saga_log::TABLES,
];

/// Of PostgreSQL's advisory locks: the one that is held while tables are made.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7233461204911)";

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS kinoko_schema (component TEXT PRIMARY KEY, version BIGINT NOT NULL)";

/// The statements that make kinoko's own tables, for whoever makes them in the program's place: where its role may not, and the setting
/// `database.tables` is `false`.
///
/// They make all tables from nothing. A comment is before each version of each part, so that a database that has some versions gets the
/// others.
///
/// # Examples
///
/// ```
/// use kinoko::sql::{Dialect, own_tables};
///
/// let sql = own_tables(Dialect::Postgres);
/// assert!(sql.contains("CREATE TABLE IF NOT EXISTS kinoko_schema"));
/// ```
pub fn own_tables(dialect: Dialect) -> String {
    let mut sql = format!("-- which version of each part is there\n{VERSIONS};\n");
    for tables in ALL {
        let component = tables.component;
        for (version, number) in tables.versions.iter().zip(1..) {
            sql.push_str(&format!("\n-- {component}, version {number}\n"));
            for statement in version.statements(dialect) {
                sql.push_str(&format!("{statement};\n"));
            }
            let note = format!(
                "INSERT INTO kinoko_schema VALUES ('{component}', {number}) ON CONFLICT (component) {UPDATE};\n"
            );
            sql.push_str(&note);
        }
    }
    sql
}

const UPDATE: &str = "DO UPDATE SET version = excluded.version";

impl<D: Backend> Database<D> {
    /// Sees to it that the tables of a part are there, and of this version of kinoko.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] where this program must not make them; [`ErrorKind::Setup`] where they were made by a later version of kinoko.
    pub(super) async fn ensure(&self, tables: &Tables) -> Result<()> {
        debug_assert!(
            cfg!(test) || ALL.iter().any(|known| known.component == tables.component),
            "the tables of the {} belong into `ALL`, which `own_tables` tells",
            tables.component
        );
        // Without the table there is no version either; what else is wrong shows below.
        if let Ok(mut connection) = self.0.pool.acquire().await
            && let Ok(version) = version::<D>(&mut connection, tables).await
            && self.is_current(tables, version)?
        {
            return Ok(());
        }
        if !self.0.tables {
            let text = format!(
                "the tables of the {} on {} are not there, or older than this version of kinoko, and the setting `tables` of its section is false: make them \
                 as `kinoko::sql::own_tables(Dialect::{:?})` tells",
                tables.component,
                self.address(),
                self.dialect()
            );
            return Err(Error::new(ErrorKind::Refused, text));
        }
        let mut tx = Tx::new(self.open_plain_transaction().await?);
        let found = self.make(&mut tx, tables).await.map_err(|error| {
            let text = format!("making kinoko's own tables of the {}", tables.component);
            let kind = if is_forbidden(&error) { ErrorKind::Refused } else { ErrorKind::Setup };
            self.failed(&text, error).with_kind(kind)
        })?;
        tx.commit().await?;
        // Another program may have been here in between, a newer one perhaps.
        self.is_current(tables, found.max(tables.versions.len())).map(drop)
    }

    /// Returns the version that was there, and leaves a later one alone.
    async fn make(&self, connection: &mut D::Connection, tables: &Tables) -> sqlx::Result<usize> {
        if self.dialect() == Dialect::Postgres {
            D::execute(connection, SqlStr::from_static(LOCK), Vec::new()).await?;
        }
        D::execute(connection, SqlStr::from_static(VERSIONS), Vec::new()).await?;
        let done = version::<D>(connection, tables).await?;
        if done >= tables.versions.len() {
            return Ok(done);
        }
        for version in tables.versions.iter().skip(done) {
            for statement in version.statements(self.dialect()) {
                D::execute(connection, SqlStr::from_static(statement), Vec::new()).await?;
            }
        }
        let latest = i64::try_from(tables.versions.len()).unwrap_or(i64::MAX);
        let sql = format!("INSERT INTO kinoko_schema VALUES ($1, $2) ON CONFLICT (component) {UPDATE}");
        let sql = sqlx::AssertSqlSafe(sql).into_sql_str();
        D::execute(connection, sql, vec![tables.component.into(), latest.into()]).await?;
        Ok(done)
    }

    fn is_current(&self, tables: &Tables, version: usize) -> Result<bool> {
        let (component, latest) = (tables.component, tables.versions.len());
        if version > latest {
            let text = format!(
                "the tables of the {component} on {} are of version {version}, and this kinoko knows up to {latest}: a newer program has \
                 been here, so update this one",
                self.address()
            );
            return Err(Error::new(ErrorKind::Setup, text));
        }
        Ok(version == latest)
    }
}

/// Whether the database lets this program read and no more.
fn is_forbidden(error: &sqlx::Error) -> bool {
    // PostgreSQL: insufficient_privilege, read_only_sql_transaction. SQLite: SQLITE_READONLY.
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["42501", "25006", "8"].contains(&&*code))
}

async fn version<D: Backend>(connection: &mut D::Connection, tables: &Tables) -> sqlx::Result<usize> {
    let sql = SqlStr::from_static("SELECT version FROM kinoko_schema WHERE component = $1");
    let rows = D::fetch(connection, sql, vec![tables.component.into()]).await?;
    match rows.first() {
        Some(row) => Ok(usize::try_from(row.int(0)?).unwrap_or_default()),
        None => Ok(0),
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::{sql::place::Place, testing::TestDatabase};

    const FIRST: Version = Version { sqlite: &["CREATE TABLE kinoko_it (n BIGINT)"], postgres: &[] };
    const SECOND: Version = Version { sqlite: &["ALTER TABLE kinoko_it ADD COLUMN m BIGINT"], postgres: &[] };
    const OLD: Tables = Tables { component: "it", versions: &[FIRST] };
    const NEW: Tables = Tables { component: "it", versions: &[FIRST, SECOND] };

    async fn open(database: &TestDatabase, tables: bool) -> Database {
        Database::open(&Place { tables, ..Place::at(database.url()) }).await.unwrap()
    }

    #[tokio::test]
    async fn instances_that_start_at_once_make_them_once() {
        let database = TestDatabase::sqlite().await.unwrap();
        let instances = futures_util::future::join_all((0..8).map(|_| open(&database, true))).await;
        let made = futures_util::future::join_all(instances.iter().map(|instance| instance.ensure(&NEW))).await;
        made.into_iter().collect::<Result<Vec<_>>>().unwrap();
    }

    #[tokio::test]
    async fn they_are_brought_up_to_date_and_never_back() {
        let database = TestDatabase::sqlite().await.unwrap();
        let db = open(&database, true).await;
        db.ensure(&OLD).await.unwrap();
        db.ensure(&NEW).await.unwrap();
        let error = db.ensure(&OLD).await.unwrap_err();
        assert!(error.to_string().contains("of version 2, and this kinoko knows up to 1"), "{error}");
        db.ensure(&NEW).await.unwrap();
    }

    #[tokio::test]
    async fn they_are_not_made_where_a_setting_says_so() {
        let database = TestDatabase::sqlite().await.unwrap();
        let error = open(&database, false).await.ensure(&NEW).await.unwrap_err();
        assert!(error.to_string().contains("kinoko::sql::own_tables(Dialect::Sqlite)"), "{error}");
        open(&database, true).await.ensure(&NEW).await.unwrap();
        open(&database, false).await.ensure(&NEW).await.unwrap();
    }
}
