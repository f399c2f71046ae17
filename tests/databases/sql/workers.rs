//! A worker's transaction ends as its method did.

use std::time::Duration;

use kinoko::testing::TestDatabase;
use kinoko_tests::soon;

use super::{Gate, LedgerClient, entries, ledger, on_both};

on_both!(
    what_a_method_did_is_kept_before_its_reply_leaves,
    an_error_a_panic_and_a_deadline_undo_what_was_done,
    a_caller_that_goes_away_undoes_what_was_done,
    a_commit_that_fails_is_the_failure_of_the_call,
    a_transaction_that_is_kept_beyond_its_method_is_not_committed,
    a_worker_has_one_transaction,
    a_batch_of_which_a_part_failed_is_undone_and_tried_again_as_a_whole,
    who_waits_too_long_is_told_what_for,
);

async fn what_a_method_did_is_kept_before_its_reply_leaves(database: TestDatabase) {
    let app = ledger(&database, &Gate::default()).await;
    let client = app.client::<LedgerClient>();
    for cents in 1..=10 {
        client.enter(cents, 1, String::new()).await.unwrap();
        assert_eq!(entries(&database).await.len(), usize::try_from(cents).unwrap());
    }
    app.stop().await.unwrap();
}

async fn an_error_a_panic_and_a_deadline_undo_what_was_done(database: TestDatabase) {
    let app = ledger(&database, &Gate::default()).await;
    let client = app.client::<LedgerClient>();
    for how in ["fail", "panic", "hang"] {
        let fired = app.waiter("ledger", "enter");
        client.enter(7, 1, how.to_owned()).timeout(Duration::from_secs(2)).await.unwrap_err();
        fired.await.unwrap();
        // There is one connection, and on SQLite one writer: this one would wait for what is not over.
        client.enter(1, 1, String::new()).await.unwrap();
    }
    assert_eq!(entries(&database).await, [1, 1, 1]);
    app.stop().await.unwrap();
}

async fn a_caller_that_goes_away_undoes_what_was_done(database: TestDatabase) {
    let gate = Gate::default();
    let app = ledger(&database, &gate).await;
    let body = serde_json::json!({"cents": 7, "account": 1, "how": "hang"});
    let call = tokio::spawn(app.http().post("/entries").json(&body).send());
    soon("the method has begun", gate.entered.notified()).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    app.client::<LedgerClient>().enter(1, 1, String::new()).await.unwrap();
    assert_eq!(entries(&database).await, [1]);
    app.stop().await.unwrap();
}

async fn a_commit_that_fails_is_the_failure_of_the_call(database: TestDatabase) {
    let app = ledger(&database, &Gate::default()).await;
    let client = app.client::<LedgerClient>();
    // Which accounts there are is looked at when it is committed.
    let error = client.enter(7, 999, String::new()).await.unwrap_err();
    assert!(error.to_string().contains("committing a transaction on "), "{error}");
    client.enter(1, 1, String::new()).await.unwrap();
    assert_eq!(entries(&database).await, [1]);
    app.stop().await.unwrap();
}

async fn a_transaction_that_is_kept_beyond_its_method_is_not_committed(database: TestDatabase) {
    let gate = Gate::default();
    let app = ledger(&database, &gate).await;
    let client = app.client::<LedgerClient>();
    let error = client.enter(7, 1, "keep".to_owned()).await.unwrap_err();
    assert!(error.to_string().contains("kept beyond its method"), "{error}");
    drop(gate.kept.lock().unwrap().take());
    client.enter(1, 1, String::new()).await.unwrap();
    assert_eq!(entries(&database).await, [1]);
    app.stop().await.unwrap();
}

async fn a_worker_has_one_transaction(database: TestDatabase) {
    let app = ledger(&database, &Gate::default()).await;
    let client = app.client::<LedgerClient>();
    let error = soon("a refusal", client.two().into_future()).await.unwrap_err();
    assert!(error.to_string().contains("a worker has one transaction"), "{error}");
    client.enter(1, 1, String::new()).await.unwrap();
    app.stop().await.unwrap();
}

async fn a_batch_of_which_a_part_failed_is_undone_and_tried_again_as_a_whole(database: TestDatabase) {
    let gate = Gate::default();
    let app = ledger(&database, &gate).await;
    let attempts = app.waiter("ledger", "on_sales").times(3);
    for sale in [-5_i64, 3] {
        app.events().dispatch_to("till", "sale", &sale).await.unwrap();
    }
    attempts.await.unwrap();
    // Each of them, alone.
    let mut again = gate.batches.lock().unwrap()[1..].concat();
    again.sort_unstable();
    assert_eq!(again, [-5, 3]);
    assert_eq!(entries(&database).await, [-5, 3]);
    app.stop().await.unwrap();
}

async fn who_waits_too_long_is_told_what_for(database: TestDatabase) {
    let gate = Gate::default();
    let app = super::TestApp::new().service::<super::Ledger>().replace(gate.clone()).database(&database);
    let app = app.yaml("database: {max_connections: 1, acquire_timeout: 200ms}").start().await.unwrap();
    let client = app.client::<LedgerClient>();
    let holding = tokio::spawn(client.enter(7, 1, "hang".to_owned()).into_future());
    soon("the method has begun", gate.entered.notified()).await;
    let error = client.enter(1, 1, String::new()).await.unwrap_err().to_string();
    let why = match database.url().starts_with("sqlite") {
        true => "other transactions have written to sqlite:",
        false => "all connections, 1 at most, have been in use for 200ms: raise `max_connections`",
    };
    assert!(error.contains(why), "{error}");
    gate.open.notify_one();
    holding.await.unwrap().unwrap();
    assert_eq!(entries(&database).await, [7]);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn fifty_writers_of_sqlite_wait_for_each_other() {
    let database = TestDatabase::sqlite().await.unwrap();
    let app = super::TestApp::new().service::<super::Ledger>().replace(Gate::default()).database(&database);
    let app = app.yaml("max_workers: 50").start().await.unwrap();
    let client = app.client::<LedgerClient>();
    let calls: Vec<_> = (0..50).map(|_| tokio::spawn(client.next().into_future())).collect();
    let mut numbers = Vec::new();
    for call in calls {
        numbers.push(call.await.unwrap().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    app.stop().await.unwrap();
}
