//! kinoko's own tables: made where they are missing, and brought up to date, by one instance at a time.

use sqlx::SqlStr;

use super::{
    Database,
    backend::{Backend, Dialect},
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

/// Of PostgreSQL's advisory locks: the one that is held while tables are made.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7233461204911)";

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS kinoko_schema (component TEXT PRIMARY KEY, version BIGINT NOT NULL)";

impl<D: Backend> Database<D> {
    /// Sees to it that the tables of a part are there, and of this version of kinoko.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setup`] where they were made by a later version of kinoko, or must not be made.
    pub(super) async fn ensure(&self, tables: &Tables) -> Result<()> {
        // Without the table there is no version either; what else is wrong shows below.
        if let Ok(mut connection) = self.0.pool.acquire().await
            && let Ok(version) = version::<D>(&mut connection, tables).await
            && self.is_current(tables, version)?
        {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        self.make(&mut tx, tables).await.map_err(|error| {
            let text = format!("making kinoko's own tables of the {}", tables.component);
            self.failed(&text, error).with_kind(ErrorKind::Setup)
        })?;
        tx.commit().await
    }

    async fn make(&self, connection: &mut D::Connection, tables: &Tables) -> sqlx::Result<()> {
        if self.dialect() == Dialect::Postgres {
            D::execute(connection, SqlStr::from_static(LOCK), Vec::new()).await?;
        }
        D::execute(connection, SqlStr::from_static(VERSIONS), Vec::new()).await?;
        let done = version::<D>(connection, tables).await?;
        for version in tables.versions.iter().skip(done) {
            let statements = match self.dialect() {
                Dialect::Sqlite => version.sqlite,
                Dialect::Postgres => version.postgres,
            };
            for statement in statements {
                D::execute(connection, SqlStr::from_static(statement), Vec::new()).await?;
            }
        }
        let latest = i64::try_from(tables.versions.len()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO kinoko_schema VALUES ($1, $2) ON CONFLICT (component) DO UPDATE SET version = excluded.version";
        D::execute(connection, SqlStr::from_static(sql), vec![tables.component.into(), latest.into()]).await?;
        Ok(())
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

async fn version<D: Backend>(connection: &mut D::Connection, tables: &Tables) -> sqlx::Result<usize> {
    let sql = SqlStr::from_static("SELECT version FROM kinoko_schema WHERE component = $1");
    let rows = D::fetch(connection, sql, vec![tables.component.into()]).await?;
    match rows.first() {
        Some(row) => Ok(usize::try_from(row.int(0)?).unwrap_or_default()),
        None => Ok(0),
    }
}
