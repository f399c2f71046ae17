//! `TestDatabase`: a database that ends with the test.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    Error, ErrorKind, Result,
    config::without_passwords,
    sql::{Any, Backend, Database},
};

/// A database of one test, thrown away when this is dropped, also by a test that panics.
///
/// What a test that was killed leaves behind, the next one removes, an hour later.
///
/// # Examples
///
/// ```
/// use kinoko::{prelude::*, sql::{Database, Migrations, Tx}, testing::{TestApp, TestDatabase}};
///
/// #[derive(Dependencies)]
/// struct Menu {
///     #[dependency(migrations = Migrations::new([(1, "CREATE TABLE dish (name TEXT PRIMARY KEY)")]))]
///     db: Database,
/// }
///
/// #[service(name = "menu")]
/// impl Menu {
///     #[rpc]
///     async fn add(&self, #[inject] mut tx: Tx, name: String) -> kinoko::Result<()> {
///         sqlx::query("INSERT INTO dish VALUES ($1)").bind(name).execute(&mut *tx).await?;
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let database = TestDatabase::sqlite().await?;        // or ::postgres("postgres://postgres@localhost/postgres")
/// let app = TestApp::new().service::<Menu>().database(&database).start().await?;
/// app.client::<MenuClient>().add("soup".into()).await?;
///
/// let db: Database = database.connect().await?;
/// let dishes: i64 = sqlx::query_scalar("SELECT count(*) FROM dish").fetch_one(&*db).await?;
/// assert_eq!(dishes, 1);
/// # app.stop().await }
/// ```
#[must_use = "the database is thrown away when this is dropped"]
pub struct TestDatabase {
    url: String,
    end: End,
}

/// What is to be done with it in the end.
enum End {
    /// The file, beside which SQLite lays two more.
    Remove(PathBuf),
    Drop {
        server: String,
        name: String,
    },
    /// It ends with its connection.
    InMemory,
}

/// What names begin with, before the second at which it was made.
const PREFIX: &str = "kinoko_test_";

/// What is older than this, no test uses any more.
const OLD: Duration = Duration::from_secs(3600);

impl TestDatabase {
    /// A database of SQLite, in a file of the system's folder for temporary ones.
    ///
    /// # Errors
    ///
    /// Where no file can be made there.
    pub async fn sqlite() -> Result<Self> {
        let folder = std::env::temp_dir();
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(is_old) {
                std::fs::remove_file(entry.path()).ok();
            }
        }
        let path = folder.join(format!("{}.db", unique()));
        let shown = path.display();
        std::fs::File::create_new(&path).map_err(|error| Error::from(error).context(format!("making {shown}")))?;
        Ok(Self { url: format!("sqlite:{shown}"), end: End::Remove(path) })
    }

    /// A database on a PostgreSQL server. The URL is that of any of its databases, as a role that may make others.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where the URL is none of PostgreSQL's; [`ErrorKind::Unavailable`] where it does not let the role in;
    /// [`ErrorKind::Setup`] where the role may not make databases.
    pub async fn postgres(url: &str) -> Result<Self> {
        let shown = without_passwords(url);
        let (before, after) = split(url).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("`{shown}` is no URL of PostgreSQL: postgres://user@host/database"))
        })?;
        let mut connection = PgConnection::connect(url).await.map_err(|error| {
            Error::from(error).with_kind(ErrorKind::Unavailable).context(format!("connecting to {shown}"))
        })?;
        let sql = "SELECT datname FROM pg_database WHERE datname LIKE 'kinoko\\_test\\_%'";
        let others: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await?;
        for old in others.iter().filter(|name| is_old(name)) {
            // Another test may be doing the same.
            drop_database(&mut connection, old).await.ok();
        }
        let name = unique();
        // From `template0`, to which nobody connects: who copies another one needs it for himself.
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map_err(|error| {
            Error::from(error).with_kind(ErrorKind::Setup).context(format!("making a database on {shown}"))
        })?;
        connection.close().await.ok();
        let (url, server) = (format!("{before}/{name}{after}"), url.to_owned());
        Ok(Self { url, end: End::Drop { server, name } })
    }

    /// What stands for a database that a program under test names nowhere but in its code.
    async fn instead_of(url: &str) -> Result<Self> {
        match url.contains(":memory:") {
            true => Ok(Self { url: url.to_owned(), end: End::InMemory }),
            false => Self::sqlite().await,
        }
    }

    /// Its URL: for the setting `database.url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connects to it, beside the services under test: [`Database::connect`].
    ///
    /// # Errors
    ///
    /// As [`Database::connect`].
    pub async fn connect<D: Backend>(&self) -> Result<Database<D>> {
        Database::connect(&self.url).await
    }

    /// [`connect`](Self::connect) to whichever it is.
    ///
    /// # Errors
    ///
    /// As [`Database::connect`].
    pub async fn database(&self) -> Result<Database<Any>> {
        self.connect().await
    }
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestDatabase").field(&without_passwords(&self.url)).finish()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        match &mut self.end {
            End::Remove(path) => remove(path),
            End::Drop { server, name } => {
                let (server, name) = (std::mem::take(server), std::mem::take(name));
                // On a runtime of its own: the test's may be ending, and a drop cannot await.
                let dropping = thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    let dropped = async {
                        let mut connection = PgConnection::connect(&server).await?;
                        drop_database(&mut connection, &name).await?;
                        connection.close().await
                    };
                    if let Ok(runtime) = runtime {
                        // What it fails with is left to the next test.
                        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), dropped).await.ok() });
                    }
                });
                dropping.join().ok();
            }
            End::InMemory => {}
        }
    }
}

/// The databases of one program under test that no setting names.
#[derive(Debug, Default)]
pub(crate) struct Databases {
    /// The one that the test gives in the place of all.
    pub(super) given: Option<String>,
    /// By the URL that the code has: services that share one share it here too.
    made: tokio::sync::Mutex<HashMap<String, TestDatabase>>,
}

impl Databases {
    pub(crate) async fn instead_of(&self, url: &str) -> Result<String> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let mut made = self.made.lock().await;
        if let Some(database) = made.get(url) {
            return Ok(database.url.clone());
        }
        let database = TestDatabase::instead_of(url).await?;
        Ok(made.entry(url.to_owned()).or_insert(database).url.clone())
    }
}

async fn drop_database(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// A file of SQLite and what lies beside it.
fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        std::fs::remove_file(path).ok();
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn unique() -> String {
    format!("{PREFIX}{}_{}", seconds(), Uuid::new_v4().simple())
}

/// Whether it is a name of one that nobody uses any more.
fn is_old(name: &str) -> bool {
    let made = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next()?.parse().ok());
    made.is_some_and(|made: u64| made.saturating_add(OLD.as_secs()) < seconds())
}

/// What is before the name of the database, and what is after it.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let (place, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let host = place.rfind('/').unwrap_or(place.len());
    Some((&url[..url.len() - rest.len() + host], query))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_another_one() {
        for (url, before, after) in [
            ("postgres://me@host:5432/db", "postgres://me@host:5432", ""),
            ("postgres://me:p%2Fw@host", "postgres://me:p%2Fw@host", ""),
            ("postgresql://host/db?sslmode=disable", "postgresql://host", "?sslmode=disable"),
        ] {
            assert_eq!(split(url), Some((before, after)));
        }
        assert_eq!(split("sqlite:x.db"), None);
    }

    #[test]
    fn only_what_no_test_uses_any_more_is_old() {
        assert!(!is_old(&unique()));
        assert!(is_old(&format!("{PREFIX}1_x.db-wal")));
        assert!(!is_old("kinoko_test_mine.db"));
        assert!(!is_old("orders_1_x"));
    }
}
