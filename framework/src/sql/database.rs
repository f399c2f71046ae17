//! `Database`: a pool of connections, as a dependency.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use sqlx::{Any, Connection, Pool, SqlStr, pool::PoolOptions};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{
    Tx,
    backend::{Backend, Dialect},
    health::Health,
    inbox::Inbox,
    lost::reason,
    migrations::Migrations,
    outbox::Outbox,
    place::Place,
    pools::Pools,
};
use crate::{
    Error, ErrorKind, Result,
    config::SettingInfo,
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
/// | `database.tables` | true | whether kinoko makes its own tables; if not: [`own_tables`](super::own_tables) |
/// | `database.relay` | true | whether this process sends what is in the outbox, see [`InTx`](super::InTx) |
/// | `database.outbox.poll` | 5s | how often it looks for what nobody told it of: on SQLite, what another process has committed |
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
    /// With it, for the connections beside the pool.
    pub(super) url: String,
    pub(super) health: Health,
    /// Whether kinoko makes its own tables here.
    pub(super) tables: bool,
    /// Who writes at the moment, where only one may: the others wait in order here, and not by trial and error in the database.
    writer: Option<Arc<Mutex<()>>>,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
}

/// What `#[dependency(…)]` on a [`Database`] field can say.
#[derive(Debug)]
pub struct DatabaseOptions {
    /// The section of the settings. Default: `database`.
    pub key: String,
    /// The URL where the settings have none. Default: `sqlite:{service}.db`.
    pub url: Option<String>,
    /// What makes and changes the tables, run at the start: `migrations = sqlx::migrate!("migrations")`, or another [`Migrations`]. Default: none.
    pub migrations: Option<Migrations>,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { key: "database".to_owned(), url: None, migrations: None }
    }
}

impl<D: Backend> Dependency for Database<D> {
    type Options = DatabaseOptions;

    fn settings(options: &DatabaseOptions) -> Vec<SettingInfo> {
        Place::settings(&options.key, options.url.as_deref())
    }

    async fn setup(cx: &SetupContext, options: DatabaseOptions) -> Result<Self> {
        let DatabaseOptions { key, url, migrations } = options;
        let place = Place::read(cx, &key, url).await?;
        let database = cx.require::<Pools<D>>().await?.database(&place).await?;
        if let Some(migrations) = migrations.filter(|_| place.migrate) {
            database.migrate(&migrations).await?;
        }
        database.prepare_outbox().await?;
        Ok(database)
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
        let (address, dialect) = (place.shown(), place.dialect::<D>()?);
        let pool = PoolOptions::<D>::new().acquire_timeout(place.acquire_timeout);
        // In memory each connection has a database of its own, so there is one, which stays.
        let pool = match place.is_in_memory(dialect) {
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
        let url = place.with_file(dialect);
        let pool = match pool.connect(&url).await {
            Ok(pool) => pool,
            Err(error) => {
                // The pool waits for one that starts, and says then that it has waited.
                let error = match error {
                    sqlx::Error::PoolTimedOut => refusal::<D>(&url).await.unwrap_or(error),
                    error => error,
                };
                let text = format!("connecting to {address}: {}", reason(&error));
                return Err(Error::new(ErrorKind::Unavailable, text));
            }
        };
        let writer = (dialect == Dialect::Sqlite).then(Arc::default);
        let (health, tables, inbox, outbox) = (Health::default(), place.tables, Inbox::new(dialect), Outbox::default());
        Ok(Self(Arc::new(Inner { pool, dialect, address, url, writer, health, tables, inbox, outbox })))
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

    /// Waits until this process may write.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] where others write all the time that a connection may be waited for: the same code, perhaps, which waits
    /// for itself.
    pub(super) async fn writing(&self) -> Result<Option<OwnedMutexGuard<()>>> {
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
}

const PRAGMAS: [&str; 4] = [
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    // Of WAL: what is committed survives the process, and after a loss of power the file is whole, perhaps without the last commits.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
];

/// Why there is no connection, as the server, or the network, says it.
async fn refusal<D: Backend>(url: &str) -> Option<sqlx::Error> {
    tokio::time::timeout(Duration::from_secs(1), D::Connection::connect(url)).await.ok()?.err()
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
