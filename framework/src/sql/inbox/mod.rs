//! Idempotency: what was asked for under a key is done once, and its answer kept.
//!
//! [`run_once`] is the way of one worker. Its `Claim` is the key's row in the table `kinoko_inbox`, held by a lease on the
//! database's clock; `Kept` is what stands there afterwards, written in the worker's own transaction where it has one.
//! `Identity` says what is the same key, `fingerprint` what are the same arguments. `turns` keeps the workers of one
//! process in line, and `sweep` deletes rows whose time is over.

mod claim;
mod fingerprint;
mod identity;
mod kept;
mod run;
mod sweep;
mod turns;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::OnceCell;

pub(super) use self::claim::TABLES;
pub use self::run::{Idempotent, Once, run_once};
use self::{claim::Statements, sweep::Sweeper, turns::Turns};
use super::{
    Database,
    backend::{Backend, Dialect},
};
use crate::{
    Result,
    config::Settings,
    dependency::{Has, SetupContext},
    service::IdempotencyInfo,
};

/// How long a run holds its key without a sign of life, where the settings do not say.
const LEASE: Duration = Duration::from_secs(10);
/// How often what is over is deleted, where the settings do not say.
const SWEEP: Duration = Duration::from_secs(60);

/// The memory of one database.
pub(super) struct Inbox {
    statements: Statements,
    turns: Arc<Turns>,
    /// Set when the tables are there.
    times: OnceCell<Times>,
    is_swept: AtomicBool,
}

#[derive(Clone, Copy)]
struct Times {
    window: Duration,
    lease: Duration,
    sweep: Duration,
}

impl Inbox {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            statements: Statements::of(dialect),
            turns: Arc::default(),
            times: OnceCell::new(),
            is_swept: AtomicBool::new(false),
        }
    }
}

impl Times {
    /// Where no container runs: a service's client in its own process.
    const DEFAULT: Self = Self { window: IdempotencyInfo::WINDOW, lease: LEASE, sweep: SWEEP };

    fn read(settings: &Settings) -> Result<Self> {
        let window = settings.duration("idempotency.window", IdempotencyInfo::WINDOW)?;
        let lease = settings.duration("idempotency.lease", LEASE)?;
        let sweep = settings.duration("idempotency.sweep", SWEEP)?;
        for (key, time) in [("lease", lease), ("sweep", sweep)] {
            if time.is_zero() {
                return Err(settings.refuse(&format!("idempotency.{key}"), "it takes a time longer than nothing"));
            }
        }
        Ok(Self { window, lease, sweep })
    }
}

impl<D: Backend> Database<D> {
    async fn remembering(&self, times: Times) -> Result<Times> {
        let ready = self.0.inbox.times.get_or_try_init(|| async {
            self.ensure(&TABLES).await?;
            Ok(times)
        });
        ready.await.copied()
    }
}

/// Sees to it, when a service starts, that its database can remember, and that it forgets in time.
///
/// # Errors
///
/// For settings that are none; where the table cannot be made.
pub async fn prepare<D: Backend>(database: &Database<D>, cx: &SetupContext) -> Result<()> {
    let times = database.remembering(Times::read(cx.settings())?).await?;
    cx.require::<Sweeper<D>>().await?.watch(database, times.sweep);
    Ok(())
}

/// A service with a database to remember in.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `{T}` to remember in what it has done",
    label = "`idempotent` keeps it in a database, in the transaction of the method",
    note = "add a field `db: Database` to `{Self}`, or name the one that it has: `idempotent(store = Database<Postgres>)`",
    note = "for an event handler `idempotent(store = \"process\")` is the memory of one process, which others do not share"
)]
pub trait Remembers<T> {
    /// Of what the database is.
    type Backend: Backend;

    /// The database.
    fn memory(&self) -> &Database<Self::Backend>;
}

#[diagnostic::do_not_recommend]
impl<S: Has<Database<D>>, D: Backend> Remembers<Database<D>> for S {
    type Backend = D;

    fn memory(&self) -> &Database<D> {
        self.get()
    }
}
