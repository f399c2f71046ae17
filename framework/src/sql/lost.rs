//! Connections that are lost, and transactions that others got in the way of: what may be repeated.

use std::{error::Error as StdError, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use super::{Database, Tx, backend::Backend, outbox::Written, tx::Open};
use crate::{Error, ErrorKind, Result};

/// How often [`Database::transaction`] tries at most.
const ATTEMPTS: u32 = 5;

/// The first pause before another attempt; each further one may be twice as long.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Whether the connection is gone, or never was.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => true,
        // Connection exceptions; the server is told to stop, crashed, or starts.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.len() == 5 && (code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03"))
        }),
        _ => false,
    }
}

/// Whether it failed because of others that ran at the same time: the database undid it, and asks to run it again.
fn is_conflict(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().is_some_and(|code| match &*code {
        // PostgreSQL: serialization failure, deadlock.
        "40001" | "40P01" => true,
        // SQLite: busy or locked by another process, whose finer reasons are in the higher bits.
        code => code.parse::<u32>().is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6)),
    })
}

impl<D: Backend> Database<D> {
    /// Runs `work` in a transaction of its own and commits it, again where others or the network got in its way.
    ///
    /// **`work` may run several times**, at most five: where the database undid the transaction because of others (a serialization failure, a
    /// deadlock), and where the connection was lost before the commit. What it does besides the transaction, it does as often. Between
    /// attempts it waits, each time a little longer, up to half a second.
    ///
    /// A commit whose answer did not come is never repeated, since it may have been kept: [`ErrorKind::OutcomeUnknown`].
    ///
    /// In a service's method `#[inject] tx: Tx` is the shorter way; this is for work that is worth repeating. On SQLite it is not for a method
    /// that has a `Tx` already: there is one writer, so it would wait for itself, and fail when its time is over.
    ///
    /// # Errors
    ///
    /// What `work` failed with, at last; as [`begin`](Self::begin) and [`Tx::commit`]. [`ErrorKind::Usage`] where `work` succeeded and kept
    /// its transaction, which is lent to it.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the transaction is rolled back, unless it was being committed: then it is unknown.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::sql::{Database, Tx};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// let db: Database = Database::connect("sqlite::memory:").await?;
    /// let left: i64 = db
    ///     .transaction(async |mut tx: Tx| {
    ///         sqlx::query("CREATE TABLE stock (n BIGINT)").execute(&mut *tx).await?;
    ///         sqlx::query("INSERT INTO stock VALUES (3)").execute(&mut *tx).await?;
    ///         Ok(sqlx::query_scalar("UPDATE stock SET n = n - 1 RETURNING n").fetch_one(&mut *tx).await?)
    ///     })
    ///     .await?;
    /// assert_eq!(left, 2);
    /// # Ok(()) }
    /// ```
    // By value: of a closure that takes it by reference the compiler cannot tell, in a service's method, that its future may be sent.
    pub async fn transaction<T, F, W>(&self, mut work: F) -> Result<T>
    where
        F: FnMut(Tx<D>) -> W,
        W: Future<Output = Result<T>>,
    {
        let mut pause = PAUSE;
        for attempt in 1_u32.. {
            let (tx, slot) = Tx::lent(self.open_transaction().await?);
            let outcome = match (work(tx).await, slot.take()) {
                (Ok(value), Some(open)) => open.commit().await.map(|()| value),
                (Ok(_), None) => Err(Error::new(
                    ErrorKind::Usage,
                    "the transaction was kept beyond its closure: it will be rolled back",
                )),
                (Err(error), open) => {
                    // Where it cannot be undone, the connection is gone, and the transaction with it.
                    if let Some(open) = open {
                        open.rollback().await.ok();
                    }
                    Err(error)
                }
            };
            match outcome {
                Err(error) if attempt < ATTEMPTS && may_be_repeated(&error) => {
                    tracing::debug!(attempt, error = error.chain(), "a transaction is tried again");
                    // Two that got in each other's way would do so again after the same pause.
                    sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                outcome => return outcome,
            }
        }
        unreachable!("the last attempt returns")
    }

    /// A transaction that has begun. A connection that is lost meanwhile is made anew, as long as one may be waited for: nothing has run yet.
    pub(super) async fn open_transaction(&self) -> Result<Open<D>> {
        self.prepare_outbox().await?;
        self.open_plain_transaction().await
    }

    /// One that writes no messages.
    pub(super) async fn open_plain_transaction(&self) -> Result<Open<D>> {
        let writer = self.writing().await?;
        let until = Instant::now() + self.0.pool.options().get_acquire_timeout();
        let mut pause = PAUSE;
        let mut last = sqlx::Error::PoolTimedOut;
        let begun = timeout_at(until, async {
            loop {
                match self.0.pool.begin_with(self.dialect().begin()).await {
                    Err(error) if is_lost(&error) => {
                        self.suspect();
                        last = error;
                        sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    begun => return begun,
                }
            }
        })
        .await;
        let transaction = begun.unwrap_or(Err(last)).map_err(|error| self.failed("beginning a transaction", error))?;
        Ok(Open { transaction, database: self.clone(), outbox: Written::default(), _writer: writer })
    }

    /// An error of the database, with what was being done.
    pub(super) fn failed(&self, doing: &str, error: sqlx::Error) -> Error {
        let (is_lost, is_late) = (is_lost(&error), matches!(error, sqlx::Error::PoolTimedOut));
        if is_lost || is_late {
            self.suspect();
        }
        let address = self.address();
        if is_late {
            let (limit, most) =
                (self.0.pool.options().get_acquire_timeout(), self.0.pool.options().get_max_connections());
            let why = match self.0.health.reason() {
                Some(reason) => format!("no connection within {limit:?}: {reason}"),
                None if self.0.pool.size() < most => format!("no connection could be made within {limit:?}"),
                None => format!(
                    "all connections, {most} at most, have been in use for {limit:?}: raise `max_connections`, or keep calls to others out of \
                     transactions"
                ),
            };
            return Error::new(ErrorKind::Unavailable, format!("{doing} on {address}: {why}"));
        }
        let kind = match is_lost || matches!(error, sqlx::Error::PoolClosed) {
            true => ErrorKind::Unavailable,
            false => ErrorKind::Internal,
        };
        Error::from(error).with_kind(kind).context(format!("{doing} on {address}"))
    }
}

/// Whether the transaction has certainly not been kept, and may succeed when it is run again.
fn may_be_repeated(error: &Error) -> bool {
    error.kind() != ErrorKind::OutcomeUnknown
        && error.find::<sqlx::Error>().is_some_and(|error| is_lost(error) || is_conflict(error))
}

/// What a driver says, down to its last reason, in one line.
pub(super) fn reason(error: &sqlx::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let source_text = source.to_string();
        // sqlx repeats what is beneath.
        if !text.contains(&source_text) {
            text = format!("{text}: {source_text}");
        }
        next = source.source();
    }
    text
}
