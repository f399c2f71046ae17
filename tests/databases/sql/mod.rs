//! Databases as dependencies, on SQLite and on a real PostgreSQL.

mod lost;
mod migrations;
mod places;
mod readiness;
mod typed;
mod workers;

use std::sync::{Arc, Mutex};

use kinoko::{
    SetupContext,
    prelude::*,
    sql::{Database, Migrations, Tx},
    testing::{RunningTestApp, TestApp, TestDatabase},
};
use kinoko_tests::postgres_url;
use tokio::sync::Notify;

/// Each of these functions is two tests, one for either database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(kinoko::testing::TestDatabase::sqlite().await.unwrap()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test]
                #[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
                async fn $name() {
                    super::$name(super::super::postgres().await).await;
                }
            )*
        }
    };
}
pub(crate) use on_both;

pub(crate) async fn postgres() -> TestDatabase {
    TestDatabase::postgres(&postgres_url()).await.unwrap()
}

fn tables() -> Migrations {
    Migrations::new([
        (1, "CREATE TABLE account (id BIGINT PRIMARY KEY); INSERT INTO account VALUES (1);"),
        (
            2,
            "CREATE TABLE entry (cents BIGINT NOT NULL, account BIGINT NOT NULL REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED)",
        ),
    ])
}

/// Holds workers until the test lets them go, and keeps what they leave behind.
#[derive(Clone, Default)]
struct Gate {
    entered: Arc<Notify>,
    open: Arc<Notify>,
    kept: Arc<Mutex<Option<Tx>>>,
    batches: Arc<Mutex<Vec<Vec<i64>>>>,
}

impl Dependency for Gate {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

#[derive(Dependencies)]
struct Ledger {
    #[dependency(migrations = tables())]
    #[allow(dead_code, reason = "transactions come from it")]
    db: Database,
    gate: Gate,
}

async fn insert(tx: &mut Tx, cents: i64, account: i64) -> kinoko::Result<()> {
    sqlx::query("INSERT INTO entry VALUES ($1, $2)").bind(cents).bind(account).execute(&mut **tx).await?;
    Ok(())
}

#[service(name = "ledger")]
impl Ledger {
    #[rpc]
    #[http(POST, "/entries")]
    async fn enter(&self, #[inject] mut tx: Tx, cents: i64, account: i64, how: String) -> kinoko::Result<()> {
        insert(&mut tx, cents, account).await?;
        match &*how {
            "fail" => return Err(kinoko::Error::msg("no more money")),
            "panic" => panic!("no more patience"),
            "hang" => {
                self.gate.entered.notify_one();
                self.gate.open.notified().await;
            }
            "keep" => *self.gate.kept.lock().unwrap() = Some(tx),
            _ => {}
        }
        Ok(())
    }

    /// The next number, read and written in one transaction.
    #[rpc]
    async fn next(&self, #[inject] mut tx: Tx) -> kinoko::Result<i64> {
        let last: i64 = sqlx::query_scalar("SELECT coalesce(max(cents), 0) FROM entry").fetch_one(&mut *tx).await?;
        insert(&mut tx, last + 1, 1).await?;
        Ok(last + 1)
    }

    #[rpc]
    async fn two(&self, #[inject] one: Tx, #[inject] other: Tx) {
        drop((one, other));
    }

    #[event_handler("till", "sale", batch = 2, within = "1h", retry(max = 2, backoff = "10ms"))]
    async fn on_sales(&self, #[inject] mut tx: Tx, sales: Vec<i64>) -> Vec<Result<(), Verdict>> {
        let is_first = {
            let mut batches = self.gate.batches.lock().unwrap();
            batches.push(sales.clone());
            batches.len() == 1
        };
        let mut verdicts = Vec::new();
        for sale in sales {
            insert(&mut tx, sale, 1).await.unwrap();
            verdicts.push(if is_first && sale < 0 { Err(Retry::because("negative").into()) } else { Ok(()) });
        }
        verdicts
    }
}

/// The ledger on a database, with one connection, so that one that is not given back shows.
async fn ledger(database: &TestDatabase, gate: &Gate) -> RunningTestApp {
    let app = TestApp::new().service::<Ledger>().replace(gate.clone()).database(database);
    app.yaml("database: {max_connections: 1, acquire_timeout: 3s}").start().await.unwrap()
}

async fn entries(database: &TestDatabase) -> Vec<i64> {
    let db = database.database().await.unwrap();
    sqlx::query_scalar("SELECT cents FROM entry ORDER BY cents").fetch_all(&*db).await.unwrap()
}
