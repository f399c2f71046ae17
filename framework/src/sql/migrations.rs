//! `Migrations`: what makes and changes a program's tables.

use std::borrow::Cow;

use sqlx::{
    AssertSqlSafe, Connection, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{
    Database,
    backend::{Backend, Dialect},
};
use crate::{Error, ErrorKind, Result, dependency::OptionValue};

/// What makes and changes a program's tables: statements in numbered steps, each of which runs once on a database.
///
/// From sqlx's `migrate!`, which reads a folder while the program is built, or from texts with [`new`](Self::new), for which sqlx needs no
/// further feature. A program that runs on either database, with statements that only one of them understands, has
/// [one set for each](Self::for_each).
///
/// Which steps have run, the database knows, in the table `_sqlx_migrations`. One instance at a time runs them: on PostgreSQL under an advisory
/// lock, each step in a transaction; on SQLite all of them in one.
///
/// # Examples
///
/// ```
/// use kinoko::{prelude::*, sql::{Database, Migrations, Tx}};
///
/// fn tables() -> Migrations {
///     Migrations::new([
///         (1, "CREATE TABLE dish (name TEXT PRIMARY KEY)"),          // or include_str!("../migrations/0001_dishes.sql")
///         (2, "ALTER TABLE dish ADD COLUMN cents BIGINT NOT NULL DEFAULT 0"),
///     ])
/// }
///
/// #[derive(Dependencies)]
/// struct Menu {
///     #[dependency(url = "sqlite::memory:", migrations = tables())]
///     db: Database,
/// }
///
/// #[service(name = "menu")]
/// impl Menu {
///     #[rpc]
///     async fn dishes(&self, #[inject] mut tx: Tx) -> kinoko::Result<i64> {
///         Ok(sqlx::query_scalar("SELECT count(*) FROM dish WHERE cents = 0").fetch_one(&mut *tx).await?)
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// # let app = App::new().service::<Menu>().start().await?;
/// # assert_eq!(app.client::<MenuClient>().dishes().await?, 0);
/// # app.stop().await }
/// ```
#[derive(Debug)]
pub struct Migrations {
    sqlite: Migrator,
    /// `None`: the same.
    postgres: Option<Migrator>,
}

impl Migrations {
    /// Steps from texts: a number, by whose order they run, and statements, of which a step may have several. For either database.
    ///
    /// A step that has run must stay as it is, to the letter: what is to be different is a step of its own.
    pub fn new(steps: impl IntoIterator<Item = (i64, impl Into<Cow<'static, str>>)>) -> Self {
        let steps = steps.into_iter().map(|(version, sql)| {
            let sql = AssertSqlSafe(sql.into().into_owned()).into_sql_str();
            Migration::new(version, Cow::Borrowed(""), MigrationType::Simple, sql, false)
        });
        Migrator::with_migrations(steps.collect()).into()
    }

    /// One set for SQLite and one for PostgreSQL, each a [`Migrations`] or what `sqlx::migrate!` makes.
    pub fn for_each(sqlite: impl Into<Self>, postgres: impl Into<Self>) -> Self {
        let (sqlite, postgres) = (sqlite.into(), postgres.into());
        Self { sqlite: sqlite.sqlite, postgres: Some(postgres.postgres.unwrap_or(postgres.sqlite)) }
    }

    fn of(&self, dialect: Dialect) -> &Migrator {
        match (dialect, &self.postgres) {
            (Dialect::Postgres, Some(postgres)) => postgres,
            _ => &self.sqlite,
        }
    }
}

impl From<Migrator> for Migrations {
    fn from(both: Migrator) -> Self {
        Self { sqlite: both, postgres: None }
    }
}

impl OptionValue<Option<Migrations>> for Migrator {
    fn convert(self) -> Result<Option<Migrations>, String> {
        Ok(Some(self.into()))
    }
}

impl<D: Backend> Database<D> {
    /// Runs migrations that have not run yet, one instance at a time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setup`] for what a migration fails with, and for one that was changed or taken away after it had run.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the migration that was running is rolled back, and those before it are kept on PostgreSQL.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<()> {
        let dialect = self.dialect();
        let migrations = migrations.of(dialect);
        let migrated = match dialect {
            Dialect::Postgres => self.migrate_postgres(migrations).await,
            Dialect::Sqlite => self.migrate_sqlite(migrations).await,
        };
        migrated.map_err(|error| {
            let hint = match error {
                MigrateError::VersionMismatch(_) => {
                    "; leave it as it was, and write what is to be different as a new one; or, where another service has steps of its own \
                     in this database, give this one another, by `#[dependency(key = \"…\")]` for its settings"
                }
                MigrateError::VersionMissing(_) => {
                    "; a newer program has been here, or its file was taken away, or another service has steps of its own in this database"
                }
                _ => "",
            };
            let text = format!("migrating {}{hint}", self.address());
            Error::from(error).with_kind(ErrorKind::Setup).context(text)
        })
    }

    /// On a connection of its own, with which the advisory lock ends, however this does.
    async fn migrate_postgres(&self, migrations: &Migrator) -> Result<(), MigrateError> {
        let mut connection = self.0.pool.acquire().await?.detach();
        let migrated = migrations.run_direct(None, &mut connection, false).await;
        // Only in going away can it fail; it is gone in any case.
        connection.close().await.ok();
        migrated
    }

    /// All of it in one transaction, which holds the lock; each migration is a savepoint in it.
    async fn migrate_sqlite(&self, migrations: &Migrator) -> Result<(), MigrateError> {
        let _writer = self.writing().await;
        let mut transaction = self.0.pool.begin_with(self.dialect().begin()).await?;
        migrations.run_direct(None, &mut *transaction, false).await?;
        Ok(transaction.commit().await?)
    }
}
