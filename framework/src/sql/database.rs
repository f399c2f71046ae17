//! `Database`: a pool of connections, as a dependency.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use sqlx::{
    Any, Pool, SqlStr,
    migrate::{MigrateError, Migrator},
    pool::PoolOptions,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{
    Tx,
    backend::{Backend, Dialect},
    pools::Pools,
    tx::Open,
};
use crate::{
    Error, ErrorKind, Result,
    config::{SettingInfo, Settings},
    dependency::{Dependency, SetupContext},
};

/// A database: SQLite in one file, or PostgreSQL by URL. A dependency.
///
/// `Database` is either, as its URL says; [`Database<Postgres>`](super::Postgres) and [`Database<Sqlite>`](super::Sqlite) are one of them, with
/// all of its types. It dereferences to sqlx's pool; what is to hold together takes a [`Tx`].
///
/// # Settings
///
/// | key | default | |
/// | --- | --- | --- |
/// | `database.url` | `sqlite:{service}.db` | `sqlite:file.db`, `sqlite::memory:`, `postgres://user:password@host/name` |
/// | `database.max_connections` | 10 | of one process; 1 in memory |
/// | `database.acquire_timeout` | 5s | how long a worker waits for a free connection |
/// | `database.migrate` | true | whether migrations run at the start |
///
/// `#[dependency(key = "orders.database")]` reads another section. Services of one process with the same URL share one pool.
///
/// SQLite runs in WAL mode, with foreign keys, and one writer at a time, for whose end the others wait in order.
pub struct Database<D: Backend = Any>(pub(super) Arc<Inner<D>>);

pub(super) struct Inner<D: Backend> {
    pub(super) pool: Pool<D>,
    pub(super) dialect: Dialect,
    /// Without its password.
    address: String,
    /// Who writes at the moment, where only one may: the others wait in order here, and not by trial and error in the database.
    writer: Option<Arc<Mutex<()>>>,
}

/// What `#[dependency(…)]` on a [`Database`] field can say.
#[derive(Debug)]
pub struct DatabaseOptions {
    /// The section of the settings. Default: `database`.
    pub key: String,
    /// The URL where the settings have none. Default: `sqlite:{service}.db`.
    pub url: Option<String>,
    /// What makes and changes the tables, run at the start: `migrations = sqlx::migrate!("migrations")`. Default: none.
    pub migrations: Option<Migrator>,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { key: "database".to_owned(), url: None, migrations: None }
    }
}

const MAX_CONNECTIONS: u32 = 10;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const MIGRATE: bool = true;
const URL: &str = "sqlite:{service}.db";

impl<D: Backend> Dependency for Database<D> {
    type Options = DatabaseOptions;

    fn settings(options: &DatabaseOptions) -> Vec<SettingInfo> {
        let DatabaseOptions { key, url, .. } = options;
        vec![
            SettingInfo::new(format!("{key}.url")).default_text(url.clone().unwrap_or_else(|| URL.to_owned())),
            SettingInfo::new(format!("{key}.max_connections")).default_text(MAX_CONNECTIONS.to_string()),
            SettingInfo::new(format!("{key}.acquire_timeout")).default_text("5s"),
            SettingInfo::new(format!("{key}.migrate")).default_text(MIGRATE.to_string()),
        ]
    }

    async fn setup(cx: &SetupContext, options: DatabaseOptions) -> Result<Self> {
        let DatabaseOptions { key, url, migrations } = options;
        let settings = cx.settings();
        let place = Place::read(settings, &key, url, cx.service())?;
        let migrate = settings.get(&format!("{key}.migrate"))?.unwrap_or(MIGRATE);
        let database = cx.require::<Pools<D>>().await?.database(&place).await?;
        if let Some(migrations) = migrations.filter(|_| migrate) {
            database.migrate(&migrations).await?;
        }
        Ok(database)
    }
}

/// Where a database is, and how it is connected to.
pub(super) struct Place {
    pub(super) url: String,
    max_connections: u32,
    acquire_timeout: Duration,
}

impl Place {
    fn read(settings: &Settings, section: &str, default: Option<String>, service: &str) -> Result<Self> {
        let key = |name: &str| format!("{section}.{name}");
        let url = settings.get::<String>(&key("url"))?;
        let url = url.or(default).unwrap_or_else(|| URL.replace("{service}", service));
        let max_connections = settings.get(&key("max_connections"))?.unwrap_or(MAX_CONNECTIONS);
        if max_connections == 0 {
            return Err(settings.refuse(&key("max_connections"), "0 connections reach no database"));
        }
        let acquire_timeout = settings.duration(&key("acquire_timeout"), ACQUIRE_TIMEOUT)?;
        Ok(Self { url, max_connections, acquire_timeout })
    }

    /// Where nothing else is said.
    fn at(url: &str) -> Self {
        Self { url: url.to_owned(), max_connections: MAX_CONNECTIONS, acquire_timeout: ACQUIRE_TIMEOUT }
    }
}

impl<D: Backend> Database<D> {
    /// Connects to a database outside of any service: for scripts and tests. The defaults are those of the settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a URL of no known database; [`ErrorKind::Unavailable`] where it cannot be reached.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::sql::Database;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// let db: Database = Database::connect("sqlite::memory:").await?;
    /// let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&*db).await?;
    /// assert_eq!(one, 1);
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self> {
        Self::open(&Place::at(url)).await
    }

    pub(super) async fn open(place: &Place) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (address, dialect) = (shown(&place.url), dialect::<D>(&place.url)?);
        let in_memory = dialect == Dialect::Sqlite && place.url.contains(":memory:");
        let pool = PoolOptions::<D>::new().acquire_timeout(place.acquire_timeout);
        // In memory each connection has a database of its own, so there is one, which stays.
        let pool = match in_memory {
            true => pool.max_connections(1).idle_timeout(None).max_lifetime(None),
            false => pool.max_connections(place.max_connections),
        };
        let pool = match dialect {
            Dialect::Postgres => pool,
            Dialect::Sqlite => pool.after_connect(|connection, _| {
                Box::pin(async move {
                    for pragma in PRAGMAS {
                        D::execute(connection, SqlStr::from_static(pragma), Vec::new()).await?;
                    }
                    Ok(())
                })
            }),
        };
        let pool = pool.connect(&with_file(&place.url, dialect, in_memory)).await.map_err(|error| {
            Error::from(error).with_kind(ErrorKind::Unavailable).context(format!("connecting to {address}"))
        })?;
        let writer = (dialect == Dialect::Sqlite).then(Arc::default);
        Ok(Self(Arc::new(Inner { pool, dialect, address, writer })))
    }

    /// Which SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// Its URL without a password.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Begins a transaction of your own, to [`commit`](Tx::commit) yourself. In a service's method, `#[inject] tx: Tx` does both.
    ///
    /// # Errors
    ///
    /// Where no connection is free in time, or none can be made.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has begun.
    pub async fn begin(&self) -> Result<Tx<D>> {
        Ok(Tx::new(self.open_transaction().await?))
    }

    pub(super) async fn open_transaction(&self) -> Result<Open<D>> {
        let writer = self.writing().await?;
        let transaction = self.0.pool.begin_with(self.0.dialect.begin()).await;
        let transaction = transaction.map_err(|error| self.failed("beginning a transaction", error))?;
        Ok(Open { transaction, _writer: writer })
    }

    /// Waits until this process may write.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] where others write all the time that a connection may be waited for: the same code, perhaps, which waits
    /// for itself.
    async fn writing(&self) -> Result<Option<OwnedMutexGuard<()>>> {
        let Some(writer) = self.0.writer.clone() else { return Ok(None) };
        let limit = self.0.pool.options().get_acquire_timeout();
        let guard = tokio::time::timeout(limit, writer.lock_owned()).await.map_err(|_| {
            let text = format!(
                "other transactions have written to {} for {limit:?}, and SQLite takes one writer at a time: keep calls to others out of transactions",
                self.0.address
            );
            Error::new(ErrorKind::Unavailable, text)
        })?;
        Ok(Some(guard))
    }

    /// Runs migrations that have not run yet, one instance at a time.
    ///
    /// # Errors
    ///
    /// What a migration fails with; a migration that was changed after it had run.
    pub async fn migrate(&self, migrations: &Migrator) -> Result<()> {
        let migrated = match self.0.dialect {
            // Holds an advisory lock meanwhile.
            Dialect::Postgres => self.migrate_postgres(migrations).await,
            Dialect::Sqlite => self.migrate_sqlite(migrations).await,
        };
        migrated.map_err(|error| {
            let text = format!("migrating {}", self.0.address);
            Error::from(error).with_kind(ErrorKind::Setup).context(text)
        })
    }

    async fn migrate_postgres(&self, migrations: &Migrator) -> Result<(), MigrateError> {
        migrations.run_direct(None, &mut *self.0.pool.acquire().await?, false).await
    }

    /// All of it in one transaction, which holds the lock; each migration is a savepoint in it.
    async fn migrate_sqlite(&self, migrations: &Migrator) -> Result<(), MigrateError> {
        let _writer = self.writing().await;
        let mut transaction = self.0.pool.begin_with(self.0.dialect.begin()).await?;
        migrations.run_direct(None, &mut *transaction, false).await?;
        Ok(transaction.commit().await?)
    }

    /// An error of the database, with what was being done.
    pub(super) fn failed(&self, doing: &str, error: sqlx::Error) -> Error {
        let kind = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => {
                ErrorKind::Unavailable
            }
            _ => ErrorKind::Internal,
        };
        Error::from(error).with_kind(kind).context(format!("{doing} on {}", self.0.address))
    }
}

const PRAGMAS: [&str; 4] = [
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    // Of WAL: what is committed survives the process, and after a loss of power the file is whole, perhaps without the last commits.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
];

fn dialect<D: Backend>(url: &str) -> Result<Dialect> {
    let of_url = Dialect::of(url).ok_or_else(|| {
        let text = format!(
            "`{}` is no database that kinoko knows: write `sqlite:file.db`, or `postgres://user:password@host/name`",
            shown(url)
        );
        Error::new(ErrorKind::Config, text)
    })?;
    match D::DIALECT {
        Some(dialect) if dialect != of_url => {
            let text = format!(
                "`{}` is no database of {}, which the type of the field names: write `Database` for either",
                shown(url),
                D::NAME
            );
            Err(Error::new(ErrorKind::Config, text))
        }
        _ => Ok(of_url),
    }
}

/// SQLite makes the file where there is none.
fn with_file(url: &str, dialect: Dialect, in_memory: bool) -> String {
    match dialect {
        Dialect::Sqlite if !in_memory && !url.contains("mode=") => {
            format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' })
        }
        _ => url.to_owned(),
    }
}

/// A URL without its password.
fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // The last `@`: a password may hold one.
    match rest.rsplit_once('@') {
        Some((login, place)) => format!("{scheme}://{}@{place}", login.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

impl<D: Backend> Deref for Database<D> {
    type Target = Pool<D>;

    fn deref(&self) -> &Pool<D> {
        &self.0.pool
    }
}

impl<D: Backend> Clone for Database<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Backend> fmt::Debug for Database<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.0.address).finish()
    }
}
