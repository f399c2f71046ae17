//! Connections that are lost, through a network that the test cuts.

use std::sync::atomic::{AtomicU32, Ordering};

use kinoko::{
    ErrorKind,
    sql::{Database, Tx},
    testing::TestDatabase,
};
use kinoko_tests::{Direction, Proxy, soon};
use tokio::sync::Barrier;

use super::on_both;

async fn by_way_of(proxy: &Proxy, database: &TestDatabase) -> Database {
    let db: Database = Database::connect(&proxy.uri(database.url())).await.unwrap();
    sqlx::query("CREATE TABLE n (n BIGINT)").execute(&*db).await.unwrap();
    db
}

async fn numbers(database: &TestDatabase) -> Vec<i64> {
    let db = database.database().await.unwrap();
    sqlx::query_scalar("SELECT n FROM n ORDER BY n").fetch_all(&*db).await.unwrap()
}

async fn insert(tx: &mut Tx, n: i64) -> kinoko::Result<()> {
    sqlx::query("INSERT INTO n VALUES ($1)").bind(n).execute(&mut **tx).await?;
    Ok(())
}

/// Cuts the network, and returns the error by which the transaction notices.
async fn cut(proxy: &Proxy, tx: &mut Tx) -> kinoko::Result<()> {
    proxy.cut();
    loop {
        sqlx::query("SELECT 1").execute(&mut **tx).await?;
    }
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn a_transaction_begins_on_a_new_connection_where_the_old_one_is_lost() {
    let database = super::postgres().await;
    let proxy = Proxy::to(database.url());
    let db = by_way_of(&proxy, &database).await;
    for n in 0..3 {
        // One notices, and the pool has another one, which does not know yet.
        let (mut noticing, idle) = tokio::join!(db.begin(), db.begin());
        idle.unwrap().rollback().await.unwrap();
        cut(&proxy, noticing.as_mut().unwrap()).await.unwrap_err();
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, n).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(numbers(&database).await, [0, 1, 2]);
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn work_whose_connection_was_lost_before_the_commit_runs_again() {
    let database = super::postgres().await;
    let proxy = Proxy::to(database.url());
    let db = by_way_of(&proxy, &database).await;
    let attempts = AtomicU32::new(0);
    let done = db
        .transaction(async |mut tx: Tx| {
            insert(&mut tx, 1).await?;
            if attempts.fetch_add(1, Ordering::Relaxed) < 2 {
                cut(&proxy, &mut tx).await?;
            }
            insert(&mut tx, 2).await?;
            Ok("done")
        })
        .await;
    assert_eq!((done.unwrap(), attempts.load(Ordering::Relaxed)), ("done", 3));
    assert_eq!(numbers(&database).await, [1, 2]);
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn work_that_loses_every_connection_fails_in_the_end() {
    let database = super::postgres().await;
    let proxy = Proxy::to(database.url());
    let db = by_way_of(&proxy, &database).await;
    let attempts = AtomicU32::new(0);
    let work = db.transaction(async |mut tx: Tx| {
        attempts.fetch_add(1, Ordering::Relaxed);
        insert(&mut tx, 1).await?;
        cut(&proxy, &mut tx).await
    });
    soon("an end", work).await.unwrap_err();
    assert_eq!(attempts.load(Ordering::Relaxed), 5);
    assert_eq!(numbers(&database).await, [] as [i64; 0]);
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn a_commit_without_an_answer_is_unknown_and_not_repeated() {
    let database = super::postgres().await;
    let proxy = Proxy::to(database.url());
    let db = by_way_of(&proxy, &database).await;
    let attempts = AtomicU32::new(0);
    let work = db.transaction(async |mut tx: Tx| {
        attempts.fetch_add(1, Ordering::Relaxed);
        insert(&mut tx, 1).await?;
        proxy.hold(Direction::ToClients);
        Ok(())
    });
    let lost = async {
        // The commit arrives, and its answer does not.
        let kept = || async { (numbers(&database).await == [1]).then_some(()) };
        kinoko_tests::eventually(std::time::Duration::from_secs(10), "the commit", kept).await;
        proxy.lose();
    };
    let (done, ()) = soon("an end", async { tokio::join!(work, lost) }).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    assert_eq!((attempts.load(Ordering::Relaxed), numbers(&database).await), (1, vec![1]));
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn of_two_that_contradict_each_other_one_runs_again() {
    let database = super::postgres().await;
    let db = database.database().await.unwrap();
    sqlx::query("CREATE TABLE n (n BIGINT)").execute(&*db).await.unwrap();
    let (attempts, both) = (AtomicU32::new(0), Barrier::new(2));
    let add = || {
        db.transaction(async |mut tx: Tx| {
            sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").execute(&mut *tx).await?;
            let last: i64 = sqlx::query_scalar("SELECT coalesce(max(n), 0) FROM n").fetch_one(&mut *tx).await?;
            if attempts.fetch_add(1, Ordering::Relaxed) < 2 {
                both.wait().await;
            }
            insert(&mut tx, last + 1).await
        })
    };
    let (one, other) = soon("both", async { tokio::join!(add(), add()) }).await;
    one.unwrap();
    other.unwrap();
    assert_eq!((attempts.load(Ordering::Relaxed), numbers(&database).await), (3, vec![1, 2]));
}

on_both!(
    what_fails_for_good_is_not_repeated,
    work_may_borrow_and_be_awaited_in_a_task,
    a_transaction_that_is_lent_is_neither_kept_nor_ended,
);

async fn what_fails_for_good_is_not_repeated(database: TestDatabase) {
    let db = database.database().await.unwrap();
    sqlx::query("CREATE TABLE n (n BIGINT)").execute(&*db).await.unwrap();
    let attempts = AtomicU32::new(0);
    let work = db.transaction(async |mut tx: Tx| {
        attempts.fetch_add(1, Ordering::Relaxed);
        insert(&mut tx, 1).await?;
        sqlx::query("INSERT INTO nowhere VALUES (1)").execute(&mut *tx).await?;
        Ok(())
    });
    let error = work.await.unwrap_err().chain();
    assert!(error.contains("nowhere"), "{error}");
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    assert_eq!(numbers(&database).await, [] as [i64; 0]);
}

/// As a service's method has it: something borrowed, in a future that may be sent.
async fn insert_all(db: &Database, rows: &[i64]) -> kinoko::Result<()> {
    let work = async |mut tx: Tx| {
        for n in rows {
            insert(&mut tx, *n).await?;
        }
        Ok(())
    };
    db.transaction(work).await
}

async fn work_may_borrow_and_be_awaited_in_a_task(database: TestDatabase) {
    let db = database.database().await.unwrap();
    sqlx::query("CREATE TABLE n (n BIGINT)").execute(&*db).await.unwrap();
    tokio::spawn(async move { insert_all(&db, &[1, 2]).await }).await.unwrap().unwrap();
    assert_eq!(numbers(&database).await, [1, 2]);
}

async fn a_transaction_that_is_lent_is_neither_kept_nor_ended(database: TestDatabase) {
    let db = database.database().await.unwrap();
    sqlx::query("CREATE TABLE n (n BIGINT)").execute(&*db).await.unwrap();
    let kept = std::sync::Mutex::new(None);
    let keep = async |mut tx: Tx| {
        insert(&mut tx, 1).await?;
        *kept.lock().unwrap() = Some(tx);
        Ok(())
    };
    let error = db.transaction(keep).await.unwrap_err();
    assert!(error.to_string().contains("kept beyond its closure"), "{error}");
    drop(kept);
    let end = async |mut tx: Tx| {
        insert(&mut tx, 2).await?;
        tx.commit().await
    };
    let error = db.transaction(end).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("by `Database::transaction` when its closure has"), "{error}");
    assert_eq!(numbers(&database).await, [] as [i64; 0]);
}
