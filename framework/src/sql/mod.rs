//! Databases: SQLite, embedded in one file, and PostgreSQL, by URL, on [sqlx].
//!
//! A service holds a [`Database`] as a field, and its methods take a [`Tx`] with `#[inject]`: a transaction that commits when the method
//! returns `Ok`, before the reply leaves, and rolls back when it fails, panics or is over its deadline.
//!
//! ```
//! use kinoko::{prelude::*, sql::{Database, Tx}};
//!
//! #[derive(Dependencies)]
//! struct Stock {
//!     #[dependency(url = "sqlite::memory:")]
//!     db: Database,
//! }
//!
//! #[service(name = "stock")]
//! impl Stock {
//!     #[rpc]
//!     async fn count(&self, #[inject] mut tx: Tx) -> kinoko::Result<i64> {
//!         Ok(sqlx::query_scalar("SELECT 41 + $1").bind(1_i64).fetch_one(&mut *tx).await?)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
//! let app = App::new().service::<Stock>().start().await?;
//! assert_eq!(app.client::<StockClient>().count().await?, 42);
//! # app.stop().await }
//! ```
//!
//! `Database` and `Tx` work on either database, through [`sqlx::Any`]: integers, floats, text, bytes and booleans, with `$1`, `$2`, … as
//! placeholders, which both know. `Database<Postgres>` and `Tx<Postgres>` are for services that want all types of PostgreSQL,
//! `Database<Sqlite>` for those of SQLite.

mod backend;
mod database;
mod health;
#[doc(hidden)]
pub mod inbox;
mod listen;
mod lost;
mod migrations;
mod outbox;
mod place;
mod pools;
#[cfg(feature = "saga")]
mod saga_log;
mod schema;
mod tx;

pub use sqlx::{Any, Postgres, Sqlite};

#[cfg(feature = "saga")]
pub(crate) use self::saga_log::SAGA_LOG;
#[cfg(feature = "saga")]
pub use self::saga_log::SqlLog;
pub use self::{
    backend::{Backend, Dialect},
    database::{Database, DatabaseOptions},
    migrations::Migrations,
    outbox::{InTx, OutboxStatus, TxMessage, TxSender},
    schema::own_tables,
    tx::Tx,
};
