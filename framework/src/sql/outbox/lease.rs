//! Which relay sends: one of all processes at a time, by a lease in the database, on the database's clock.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr};
use tokio::time::Instant;

use crate::{
    Result,
    sql::{Backend, Database, backend::millis},
};

/// How long a relay that has died keeps the others waiting.
const TERM: Duration = Duration::from_secs(5);

/// What this relay knows of the lease. It is taken when there is something to send, and runs out by itself when there is not: an idle
/// relay writes nothing.
#[derive(Default)]
pub(super) struct Lease {
    /// Until when it is ours, on this process's clock: never longer than on the database's.
    ours: Option<Instant>,
    /// Until when it is another one's.
    theirs: Option<Instant>,
}

/// What asking for it came to.
pub(super) enum Asked {
    /// Ours, if it was asked for at this time.
    Granted(Instant),
    /// Another one's, for so long.
    Held(Duration),
}

impl Lease {
    /// Who has the lease must not send any more without having asked again.
    pub(super) fn is_ours(&self) -> bool {
        self.ours.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn expiry(&self) -> Option<Instant> {
        self.ours.filter(|until| Instant::now() < *until)
    }

    /// When to ask again, while there is something to do.
    pub(super) fn renewal(&self) -> Option<Instant> {
        self.ours.map(|until| until - TERM / 2)
    }

    pub(super) fn theirs(&self) -> Option<Instant> {
        self.theirs.filter(|until| Instant::now() < *until)
    }

    pub(super) fn asked(&mut self, answer: Asked) {
        (self.ours, self.theirs) = match answer {
            Asked::Granted(since) => (Some(since + TERM), None),
            Asked::Held(left) => (None, Some(Instant::now() + left)),
        };
    }
}

impl<D: Backend> Database<D> {
    /// Takes the lease, or keeps it. The name of the holder is the fence: nobody else has it.
    pub(super) async fn ask_for_lease(&self, holder: &str) -> Result<Asked> {
        let (began, now) = (Instant::now(), self.dialect().now_ms());
        let take = format!(
            "UPDATE kinoko_outbox_lease SET holder = $1, expires = {now} + $2 WHERE name = 'relay' AND (holder = $1 OR expires <= {now})"
        );
        let take = AssertSqlSafe(take).into_sql_str();
        if self.write_outbox(take, vec![holder.into(), millis(TERM).into()]).await? > 0 {
            return Ok(Asked::Granted(began));
        }
        let left = format!("SELECT expires - {now} FROM kinoko_outbox_lease WHERE name = 'relay'");
        let rows = self.read_outbox(AssertSqlSafe(left).into_sql_str(), Vec::new()).await?;
        let left = rows.first().and_then(|row| row.int(0).ok()).unwrap_or_default();
        // A moment more: it is not over before its last millisecond is.
        Ok(Asked::Held(Duration::from_millis(u64::try_from(left).unwrap_or_default() + 20)))
    }

    /// Lets the next one begin at once.
    pub(super) async fn give_lease_back(&self, holder: &str) -> Result<()> {
        let sql = "UPDATE kinoko_outbox_lease SET expires = 0 WHERE name = 'relay' AND holder = $1";
        self.write_outbox(sqlx::SqlStr::from_static(sql), vec![holder.into()]).await.map(drop)
    }
}
