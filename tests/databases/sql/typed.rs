//! Databases that are one of them by their type, with all of its types.

use kinoko::{
    prelude::*,
    sql::{Database, Postgres, Sqlite, Tx},
    testing::{TestApp, TestDatabase},
};

#[derive(Dependencies)]
struct Arrays {
    #[allow(dead_code, reason = "transactions come from it")]
    db: Database<Postgres>,
}

#[service(name = "arrays")]
impl Arrays {
    #[rpc]
    async fn doubled(&self, #[inject] mut tx: Tx<Postgres>, numbers: Vec<i32>) -> kinoko::Result<Vec<i32>> {
        // `Any` has no arrays.
        let sql = "SELECT array_agg(n * 2) FROM unnest($1::int4[]) AS n";
        Ok(sqlx::query_scalar(sql).bind(numbers).fetch_one(&mut *tx).await?)
    }
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn a_transaction_of_postgres_has_its_types() {
    let database = super::postgres().await;
    let app = TestApp::new().service::<Arrays>().database(&database).start().await.unwrap();
    assert_eq!(app.client::<ArraysClient>().doubled(vec![1, 2]).await.unwrap(), [2, 4]);
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Plain {
    #[allow(dead_code, reason = "transactions come from it")]
    db: Database<Sqlite>,
}

#[service(name = "sql_plain")]
impl Plain {
    #[rpc]
    async fn version(&self, #[inject] mut tx: Tx<Sqlite>) -> kinoko::Result<String> {
        Ok(sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *tx).await?)
    }
}

#[tokio::test]
async fn a_transaction_of_sqlite_is_one_by_type() {
    let database = TestDatabase::sqlite().await.unwrap();
    let app = TestApp::new().service::<Plain>().database(&database).start().await.unwrap();
    assert!(app.client::<PlainClient>().version().await.unwrap().starts_with("3."));
    app.stop().await.unwrap();
}
