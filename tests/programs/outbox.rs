//! One instance of a service that commits transactions with an event in each, and rolls some back, until so many rows are there in all.
//! Tests kill it.

use futures_util::future::join_all;
use kinoko::{
    prelude::*,
    sql::{Database, Tx},
};
use serde::{Deserialize, Serialize};

/// What goes into the table and into the event: which worker of which process it was, and its how manieth.
#[event(source = "faults_outbox", name = "placed")]
#[derive(Serialize, Deserialize)]
struct Placed {
    run: i64,
    worker: i64,
    number: i64,
}

#[derive(Dependencies)]
struct Orders {
    db: Database,
    events: EventDispatcher,
    /// How many rows there shall be.
    #[dependency(key = "goal")]
    goal: Config<i64>,
    /// Which process this is.
    #[dependency(key = "run")]
    run: Config<i64>,
}

const WORKERS: i64 = 8;

#[service(name = "faults_outbox")]
impl Orders {
    #[timer(every = "24h", eager)]
    async fn work(&self) -> kinoko::Result<()> {
        join_all((0..WORKERS).map(|worker| self.place_many(worker))).await;
        Ok(())
    }
}

impl Orders {
    async fn place_many(&self, worker: i64) {
        for number in 0.. {
            let placed = Placed { run: *self.run, worker, number };
            // Each with its own row: whatever fails is not tried again.
            if let Err(error) = self.place(&placed).await {
                kinoko::tracing::warn!(error = error.chain(), "not placed");
            }
            if number % 8 == 0 && self.is_done().await {
                return;
            }
        }
    }

    async fn is_done(&self) -> bool {
        let rows = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM placed").fetch_one(&*self.db).await;
        rows.is_ok_and(|rows| rows >= *self.goal)
    }

    async fn place(&self, placed: &Placed) -> kinoko::Result<()> {
        let mut tx: Tx = self.db.begin().await?;
        sqlx::query("INSERT INTO placed VALUES ($1, $2, $3)")
            .bind(placed.run)
            .bind(placed.worker)
            .bind(placed.number)
            .execute(&mut *tx)
            .await?;
        let dispatch = self.events.in_tx(&mut tx).dispatch(placed);
        // Half of them in the order of their worker.
        match placed.number % 2 {
            0 => dispatch.ordered_by(format!("{}-{}", placed.run, placed.worker)).await?,
            _ => dispatch.await?,
        };
        match placed.number % 5 {
            4 => tx.rollback().await,
            _ => tx.commit().await,
        }
    }
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    kinoko::run().await
}
