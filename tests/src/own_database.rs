use std::thread;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{postgres_url, unique};

/// A database of a test's own. Gone with its drop.
#[derive(Debug)]
pub struct OwnDatabase {
    url: String,
    /// Where PostgreSQL's is dropped in the end: the server, and its name there.
    server: Option<(String, String)>,
}

impl OwnDatabase {
    /// A file of SQLite's, which is not there yet.
    pub fn sqlite() -> Self {
        let file = std::env::temp_dir().join(unique("kinoko"));
        Self { url: format!("sqlite:{}.db", file.display()), server: None }
    }

    /// An empty one of PostgreSQL's.
    ///
    /// # Panics
    ///
    /// Without `KINOKO_TEST_POSTGRES_URL`: tests that call this are ignored then. And where the server makes none.
    pub async fn postgres() -> Self {
        let (server, name) = (postgres_url(), unique("kinoko").replace('-', "_"));
        run(&server, format!("CREATE DATABASE {name}")).await;
        let (before, _) = server.rsplit_once('/').expect("a URL of PostgreSQL names a database");
        Self { url: format!("{before}/{name}"), server: Some((server, name)) }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is a file.
    pub fn is_sqlite(&self) -> bool {
        self.server.is_none()
    }
}

async fn run(server: &str, statement: String) {
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL answers");
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("it may make databases");
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        match self.server.take() {
            None => {
                let file = self.url.trim_start_matches("sqlite:");
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{file}{end}"));
                }
            }
            Some((server, name)) => {
                // On a runtime of its own: the test's is on its way out.
                let dropping = thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    let runtime = runtime.expect("a thread may have a runtime");
                    runtime.block_on(run(&server, format!("DROP DATABASE {name} WITH (FORCE)")));
                });
                let _ = dropping.join();
            }
        }
    }
}
