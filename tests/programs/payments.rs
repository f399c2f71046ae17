//! A service that calls itself and dies in the middle of it: before the commit of its transaction, or after.

#![allow(clippy::print_stderr, reason = "the test reads it")]

use kinoko::{
    WorkerHook, WorkerOutcome,
    prelude::*,
    protocol::Fault,
    sql::{Database, Tx},
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Receipt {
    number: u64,
    order: String,
}

#[derive(Dependencies)]
struct Payments {
    db: Database,
}

/// Ends the process as a kill would: nothing runs any more.
struct Death;

impl<S: Sync> FromWorker<S> for Death {
    async fn from_worker(_: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        cx.attach(Hook);
        Ok(Self)
    }
}

struct Hook;

#[kinoko::async_trait]
impl WorkerHook for Hook {
    async fn result(&mut self, _: WorkerOutcome<'_>) -> kinoko::Result<()> {
        die("before");
        Ok(())
    }

    async fn teardown(&mut self) -> kinoko::Result<()> {
        die("after");
        Ok(())
    }
}

fn die(when: &str) {
    if std::env::var("DIES").is_ok_and(|dies| dies == when) {
        eprintln!("dies here");
        std::process::abort();
    }
}

/// The same as the suite's.
#[service(name = "idempotency_payments")]
impl Payments {
    /// Hooks run in reverse order: the death's before the transaction's, whose commit comes between its result and its teardown.
    #[rpc(idempotent)]
    async fn charge(
        &self,
        #[inject] mut tx: Tx,
        #[inject] _death: Death,
        order: String,
        cents: i64,
        note: Option<String>,
    ) -> kinoko::Result<Receipt> {
        let _ = note;
        sqlx::query("INSERT INTO entry VALUES ($1, $2)").bind(&order).bind(cents).execute(&mut *tx).await?;
        Ok(Receipt { number: 77, order })
    }
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    let app = App::new().settings(Settings::load()?).service::<Payments>().start().await?;
    app.client::<PaymentsClient>().charge("o-1".into(), 5, None).idempotency_key("k").await?;
    app.stop().await
}
