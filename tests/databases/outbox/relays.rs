//! Who sends: one relay of all programs at a time, told of commits.

use std::time::{SystemTime, UNIX_EPOCH};

use kinoko::{DispatchError, prelude::*, sql::Database};
use sqlx::AssertSqlSafe;

use super::{OrdersClient, Place, Placed, emptied, on_both};

on_both!(
    what_was_left_is_sent_by_the_next_program,
    a_program_may_leave_it_to_others,
    a_dead_relay_is_followed_when_its_lease_is_over,
    two_programs_send_each_message_once,
);

async fn what_was_left_is_sent_by_the_next_program(place: Place) {
    let (listener, db) = (place.listener("placed").await, place.database().await);
    let events = EventDispatcher::connect(&place.broker).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let id = events.in_tx(&mut tx).dispatch(&Placed { order: 1 }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.outbox().await.unwrap().waiting, 1);
    let app = place.program(&[]).await;
    assert_eq!(listener.next().await.properties.message_id.as_ref(), Some(&id));
    app.stop().await.unwrap();
}

/// PostgreSQL tells the one that sends; on SQLite that one looks from time to time.
async fn a_program_may_leave_it_to_others(place: Place) {
    let listener = place.listener("placed").await;
    let poll = if place.is_sqlite() { "{poll: 100ms}" } else { "{poll: 1h}" };
    let placing = place.program(&[("relay", "false")]).await;
    placing.client::<OrdersClient>().place(vec![1], false).await.unwrap();
    assert_eq!(place.database().await.outbox().await.unwrap().waiting, 1);
    let sending = place.program(&[("outbox", poll)]).await;
    assert_eq!(listener.order().await, 1);
    emptied(&place).await;
    for order in 2..20 {
        let orders = placing.client::<OrdersClient>();
        orders.place(vec![order], false).await.unwrap();
        assert_eq!(listener.order().await, order);
    }
    placing.stop().await.unwrap();
    sending.stop().await.unwrap();
}

async fn a_dead_relay_is_followed_when_its_lease_is_over(place: Place) {
    let (listener, db) = (place.listener("placed").await, place.database().await);
    db.outbox().await.unwrap();
    let now = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let expires = now() + 1500;
    let lease = format!("UPDATE kinoko_outbox_lease SET holder = 'dead', expires = {expires}");
    sqlx::query(AssertSqlSafe(lease)).execute(&*db).await.unwrap();
    let app = place.program(&[]).await;
    app.client::<OrdersClient>().place(vec![1], false).await.unwrap();
    assert_eq!(listener.order().await, 1);
    assert!(now() >= expires, "{} ms too early", expires - now());
    app.stop().await.unwrap();
    let holders: Vec<String> =
        sqlx::query_scalar("SELECT holder FROM kinoko_outbox_lease WHERE expires > 0").fetch_all(&*db).await.unwrap();
    assert!(holders.is_empty(), "who stops gives it back: {holders:?}");
}

async fn two_programs_send_each_message_once(place: Place) {
    let listener = place.listener("placed").await;
    let more: &[_] = if place.is_sqlite() { &[("outbox", "{poll: 50ms}")] } else { &[] };
    let programs = [place.program(more).await, place.program(more).await];
    for order in 0..300 {
        let program = &programs[usize::from(order % 2 == 0)];
        program.client::<OrdersClient>().place(vec![order], false).await.unwrap();
    }
    let mut sent = listener.orders(300).await;
    sent.sort_unstable();
    assert_eq!(sent, (0..300).collect::<Vec<_>>());
    emptied(&place).await;
    for program in programs {
        program.stop().await.unwrap();
    }
    assert!(listener.deliveries.ready().await.is_none());
}

/// A database where the program may only read and write what is there: it has no outbox, and all else works.
#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn without_the_right_to_make_tables_there_is_no_outbox() {
    let mut place = Place::postgres().await;
    let owner = place.database().await;
    let role = kinoko_tests::unique("kinoko_reader").replace('-', "_");
    for statement in
        ["REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(), format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'")]
    {
        sqlx::query(AssertSqlSafe(statement)).execute(&*owner).await.unwrap();
    }
    let (_, host) = place.url.rsplit_once('@').unwrap();
    place.url = format!("postgres://{role}:{role}@{host}");
    let app = place.program(&[]).await;
    let error = app.client::<OrdersClient>().place(vec![1], false).await.unwrap_err().to_string();
    assert!(error.contains("not written to the outbox") && error.contains("permission denied"), "{error}");
    app.client::<OrdersClient>().place(vec![], false).await.unwrap();

    let db: Database = place.database().await;
    let (events, mut tx) = (EventDispatcher::connect(&place.broker).await.unwrap(), db.begin().await.unwrap());
    let error = events.in_tx(&mut tx).dispatch(&Placed { order: 1 }).await.unwrap_err();
    assert!(matches!(error, DispatchError::NotWritten(_)), "{error:?}");
    app.stop().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("DROP ROLE {role}"))).execute(&*owner).await.unwrap();
}
