//! What an operator asks of an outbox.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::{
    Error, ErrorKind, Result,
    sql::{Backend, Database},
};

/// How an outbox is doing: [`Database::outbox`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxStatus {
    /// How many committed messages the broker is not yet known to have.
    pub waiting: u64,
    /// How many are to be sent later. They are not among the waiting ones.
    pub later: u64,
    /// How many of the waiting ones the broker has refused; each holds back what is behind it in its order.
    pub refused: u64,
    /// How long the oldest of the waiting ones has been due.
    pub oldest: Option<Duration>,
    /// Why: what the broker said to the oldest that it refused; else what keeps the relay of this process from its work.
    pub last_error: Option<String>,
}

impl<D: Backend> Database<D> {
    /// How its outbox is doing. All processes see the same rows.
    ///
    /// Messages that wait do not make a service unready: it does its work, and they will be sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where it has none; [`ErrorKind::Unavailable`] where the database cannot be reached.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::{prelude::*, sql::Database};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// let db: Database = Database::connect("sqlite::memory:").await?;
    /// let events = EventDispatcher::connect("memory://").await?;
    /// let mut tx = db.begin().await?;
    /// events.in_tx(&mut tx).dispatch_to("orders", "placed", &7).await?;
    /// tx.commit().await?;
    /// // No service runs on this database, so nobody has sent it.
    /// assert_eq!(db.outbox().await?.waiting, 1);
    /// # events.close().await; Ok(()) }
    /// ```
    pub async fn outbox(&self) -> Result<OutboxStatus> {
        self.prepare_outbox().await?;
        self.0.outbox.available().map_err(|text| Error::new(ErrorKind::Usage, text))?;
        let counts = format!(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN attempts = 0 AND not_before > now THEN 1 ELSE 0 END), 0), \
             COALESCE(SUM(CASE WHEN attempts > 0 THEN 1 ELSE 0 END), 0), \
             MAX(CASE WHEN attempts > 0 OR not_before <= now THEN now - due END), \
             MIN(CASE WHEN attempts > 0 THEN id END) \
             FROM kinoko_outbox, (SELECT {} AS now) clock",
            self.dialect().now_ms()
        );
        let counts = self.read_outbox(AssertSqlSafe(counts).into_sql_str(), Vec::new()).await?;
        let counts = counts.first().ok_or_else(|| Error::msg("the outbox counts nothing"))?;
        let number = |column| counts.int(column).map(|number| u64::try_from(number).unwrap_or_default());
        let later = number(1)?;
        let mut last_error = None;
        if let Some(id) = counts.optional_int(4)? {
            let sql = sqlx::SqlStr::from_static("SELECT last_error FROM kinoko_outbox WHERE id = $1");
            let rows = self.read_outbox(sql, vec![id.into()]).await?;
            last_error = rows.into_iter().next().map(|mut row| row.optional_text(0)).transpose()?.flatten();
        }
        Ok(OutboxStatus {
            waiting: number(0)?.saturating_sub(later),
            later,
            refused: number(2)?,
            oldest: counts.optional_int(3)?.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default())),
            last_error: last_error.or_else(|| self.0.outbox.trouble()),
        })
    }
}
