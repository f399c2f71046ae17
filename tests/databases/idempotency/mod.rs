//! `idempotent` in a service's database, on SQLite and on PostgreSQL: done once, answered as before, one run at a time.

mod answers;
mod events;
mod leases;
mod transactions;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kinoko::{
    prelude::*,
    sql::{Database, Tx},
    testing::{RunningTestApp, TestApp},
};
use kinoko_tests::{postgres_url, soon, unique};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    time::timeout,
};

/// Each function as one test on SQLite and one on PostgreSQL.
macro_rules! on_each_database {
    ($($(#[$note:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {
        $($(#[$note])* async fn $name($place: super::Place) $body)*

        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::super::Place::sqlite().await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            #[cfg_attr(not(postgres), ignore = "needs a database: KINOKO_TEST_POSTGRES_URL")]
            async fn $name() {
                super::$name(super::super::Place::postgres().await).await;
            })*
        }
    };
}
use on_each_database;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Receipt {
    number: u64,
    order: String,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, ServiceError)]
enum PaymentError {
    #[error("{order} is declined")]
    #[fault(code = "DECLINED", http = 402)]
    Declined { order: String },
    #[error("busy")]
    #[fault(retry = true)]
    Busy,
}

/// Where workers say that they run, and wait until the test lets them.
#[derive(Clone)]
struct Desk {
    runs: UnboundedSender<String>,
    gate: Arc<Semaphore>,
    number: Arc<AtomicU64>,
}

impl Dependency for Desk {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Err(kinoko::Error::msg("the test brings it"))
    }
}

impl Desk {
    async fn run(&self, what: impl Into<String>) -> u64 {
        // A test that has ended wants no more.
        let _ = self.runs.send(what.into());
        self.gate.acquire().await.unwrap().forget();
        self.number.fetch_add(1, Ordering::SeqCst)
    }
}

#[derive(Dependencies)]
struct Payments {
    db: Database,
    desk: Desk,
}

#[service(name = "idempotency_payments")]
impl Payments {
    #[rpc(idempotent)]
    async fn charge(
        &self,
        #[inject] mut tx: Tx,
        order: String,
        cents: i64,
        note: Option<String>,
    ) -> Result<Receipt, PaymentError> {
        let _ = note;
        sqlx::query("INSERT INTO entry VALUES ($1, $2)").bind(&order).bind(cents).execute(&mut *tx).await.unwrap();
        if cents == 404 {
            // What refers to nothing is found at the commit.
            sqlx::query("INSERT INTO child VALUES (404)").execute(&mut *tx).await.unwrap();
        }
        let number = self.desk.run(&order).await;
        match cents {
            402 => Err(PaymentError::Declined { order }),
            503 => Err(PaymentError::Busy),
            _ => Ok(Receipt { number, order }),
        }
    }

    /// Without a transaction.
    #[rpc(idempotent(window = "1h"))]
    async fn quote(&self, order: String) -> kinoko::Result<u64> {
        let number = self.desk.run(&order).await;
        match &*order {
            "lost" => Err(kinoko::Error::msg("the database was lost")),
            "panic" => panic!("{order}"),
            _ => Ok(number),
        }
    }

    #[rpc(idempotent)]
    async fn hurry(&self) -> u64 {
        self.desk.run("hurry").await
    }

    #[rpc(idempotent(required))]
    async fn strict(&self) -> u64 {
        self.desk.run("strict").await
    }

    /// Takes no notice of keys.
    #[rpc]
    async fn free(&self) -> u64 {
        self.desk.run("free").await
    }

    #[event_handler("idempotency_orders", "paid", idempotent, retry(max = 3, backoff = "1ms"))]
    async fn on_paid(&self, #[inject] mut tx: Tx, #[inject] cx: WorkerContext, cents: i64) -> Result<(), Verdict> {
        sqlx::query("INSERT INTO entry VALUES ('event', $1)").bind(cents).execute(&mut *tx).await.unwrap();
        self.desk.run(format!("paid {cents}, attempt {}", cx.attempt())).await;
        match cents {
            503 if cx.attempt() == 1 => Err(Retry::because("not yet").into()),
            410 => Err(Reject::because("nobody wants it").into()),
            402 => Err(DeadLetter::because("it is wrong").into()),
            _ => Ok(()),
        }
    }
}

/// A database of one test.
struct Place {
    url: String,
    db: Database,
}

impl Place {
    async fn sqlite() -> Self {
        let file = std::env::temp_dir().join(unique("kinoko-idempotency")).with_extension("db");
        Self::at(format!("sqlite:{}", file.display())).await
    }

    async fn postgres() -> Self {
        let (server, schema) = (postgres_url(), unique("idempotency").replace('-', "_"));
        let db: Database = Database::connect(&server).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&*db).await.unwrap();
        db.close().await;
        let separator = if server.contains('?') { '&' } else { '?' };
        Self::at(format!("{server}{separator}options[search_path]={schema}")).await
    }

    async fn at(url: String) -> Self {
        let db: Database = Database::connect(&url).await.unwrap();
        for table in [
            "CREATE TABLE entry (order_id TEXT NOT NULL, cents BIGINT NOT NULL)",
            "CREATE TABLE parent (id BIGINT PRIMARY KEY)",
            "CREATE TABLE child (parent BIGINT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
        ] {
            sqlx::query(table).execute(&*db).await.unwrap();
        }
        Self { url, db }
    }

    fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&*self.db).await.unwrap()
    }

    /// How many effects there are.
    async fn entries(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM entry").await
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&*self.db).await.unwrap();
    }

    /// As if its time were over.
    async fn expire(&self) {
        self.execute("UPDATE kinoko_inbox SET until = 0").await;
    }

    async fn instance(&self) -> Instance {
        self.instance_with("").await
    }

    /// One instance of the service, with further settings, on a broker of its own: what is called goes to it.
    async fn instance_with(&self, settings: &str) -> Instance {
        let (runs, receiver) = unbounded_channel();
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let number = Arc::new(AtomicU64::new(u64::from(uuid::Uuid::new_v4().as_fields().0)));
        let desk = Desk { runs, gate: gate.clone(), number };
        let yaml = format!("database:\n  url: \"{}\"\n{settings}", self.url);
        let broker = format!("memory://{}", unique("idempotency"));
        let app = TestApp::new().broker(&broker).service::<Payments>().replace(desk).yaml(&yaml);
        Instance { app: app.start().await.unwrap(), broker, runs: receiver, gate }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(file) = self.url.strip_prefix("sqlite:") {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{file}{suffix}"));
            }
        }
    }
}

struct Instance {
    app: RunningTestApp,
    broker: String,
    runs: UnboundedReceiver<String>,
    gate: Arc<Semaphore>,
}

impl Instance {
    fn client(&self) -> PaymentsClient {
        self.app.client()
    }

    /// From now on a run waits until it is let go on.
    fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn let_go(&self, runs: usize) {
        self.gate.add_permits(runs);
    }

    /// The next run that begins.
    async fn next(&mut self) -> String {
        soon("a run begins", self.runs.recv()).await.unwrap()
    }

    /// Those that have begun since.
    fn begun(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.runs.try_recv().ok()).collect()
    }

    /// Asserts that none begins for this long.
    async fn silence(&mut self, time: Duration) {
        if let Ok(run) = timeout(time, self.runs.recv()).await {
            panic!("{run:?} runs");
        }
    }
}

/// What a test waits to see that nothing happens: longer than the first pauses of a run that waits.
const A_WHILE: Duration = Duration::from_millis(200);
