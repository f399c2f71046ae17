//! PostgreSQL's word of what other processes committed.

use std::{convert::Infallible, future::pending, time::Duration};

use sqlx::postgres::PgListener;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::{Database, Dialect, backend::Backend};

/// How long to wait before the database is asked again to tell of commits.
const PAUSE: Duration = Duration::from_secs(5);

impl<D: Backend> Database<D> {
    /// Hears what is told on a channel, over a connection of its own. Each text is for `heard`; `None` says that some may have been missed,
    /// which is so at the beginning, and after the connection was lost. Without an end.
    pub(super) async fn listen(self, channel: &'static str, heard: impl Fn(Option<&str>)) {
        if self.dialect() != Dialect::Postgres {
            // SQLite tells nobody.
            return pending().await;
        }
        loop {
            let Err(error) = self.listen_once(channel, &heard).await;
            debug!(
                database = self.address(),
                channel,
                %error,
                "PostgreSQL tells of no commits of other processes, looking for them from time to time"
            );
            sleep(PAUSE).await;
        }
    }

    async fn listen_once(&self, channel: &str, heard: &impl Fn(Option<&str>)) -> sqlx::Result<Infallible> {
        let mut listener = PgListener::connect(&self.0.url).await?;
        listener.listen(channel).await?;
        loop {
            heard(None);
            while let Some(told) = listener.try_recv().await? {
                heard(Some(told.payload()));
            }
            warn!(database = self.address(), channel, "the connection that tells of commits was lost, and made again");
        }
    }
}
