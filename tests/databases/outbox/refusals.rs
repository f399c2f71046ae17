//! What the broker does not take: it is kept, tried again, and in nobody's way.

use std::time::Duration;

use kinoko_tests::eventually;
use sqlx::AssertSqlSafe;

use super::{OrdersClient, Place, emptied, on_both};

on_both!(
    what_is_refused_holds_back_its_own_order_and_nothing_else,
    what_is_refused_is_kept_across_programs,
    a_row_that_nobody_can_read_is_in_nobodys_way,
);

async fn what_is_refused_holds_back_its_own_order_and_nothing_else(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    let (orders, db) = (app.client::<OrdersClient>(), place.database().await);
    // Nobody listens to what is required, and one exchange is not there.
    orders.audit("one".into(), 1).await.unwrap();
    orders.place_in_order("one".into(), 2).await.unwrap();
    orders.mail("outbox-missing".into()).await.unwrap();
    for order in 3..300 {
        orders.place_in_order(order.to_string(), order).await.unwrap();
    }
    let mut sent = listener.orders(297).await;
    sent.sort_unstable();
    assert_eq!(sent, (3..300).collect::<Vec<_>>());
    let held =
        || async { Some(db.outbox().await.unwrap()).filter(|status| (status.waiting, status.refused) == (3, 2)) };
    let status = eventually(Duration::from_secs(20), "two are refused", held).await;
    let error = status.last_error.unwrap();
    assert_eq!(error, "nobody listens to event `audited` of `outbox_orders`: no queue is bound for it");
    assert!(status.oldest.is_some());
    assert!(app.readiness().is_ready(), "it does its work");

    let audits = place.listener("audited").await;
    assert_eq!((audits.order().await, listener.order().await), (1, 2));
    let left = || async { (db.outbox().await.unwrap().waiting == 1).then_some(()) };
    eventually(Duration::from_secs(20), "the mail is left", left).await;
    app.stop().await.unwrap();
    assert_eq!(db.outbox().await.unwrap().waiting, 1, "a stop does not drop it");
}

async fn what_is_refused_is_kept_across_programs(place: Place) {
    let app = place.program(&[]).await;
    app.client::<OrdersClient>().audit("one".into(), 1).await.unwrap();
    app.client::<OrdersClient>().place_in_order("one".into(), 2).await.unwrap();
    let db = place.database().await;
    let held = || async { (db.outbox().await.unwrap().refused == 1).then_some(()) };
    eventually(Duration::from_secs(20), "it is refused", held).await;
    app.stop().await.unwrap();

    let (audits, listener) = (place.listener("audited").await, place.listener("placed").await);
    let app = place.program(&[]).await;
    assert_eq!((audits.order().await, listener.order().await), (1, 2));
    emptied(&place).await;
    app.stop().await.unwrap();
}

async fn a_row_that_nobody_can_read_is_in_nobodys_way(place: Place) {
    let db = place.database().await;
    db.outbox().await.unwrap();
    let bytes = if place.is_sqlite() { "BLOB" } else { "BYTEA" };
    let insert = format!(
        "INSERT INTO kinoko_outbox (ordered_by, message_id, exchange, routing_key, properties, body, due, not_before) \
         VALUES ('x', 'x', 'x', 'x', 'no JSON', CAST('' AS {bytes}), 0, 0)"
    );
    sqlx::query(AssertSqlSafe(insert)).execute(&*db).await.unwrap();
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    app.client::<OrdersClient>().place(vec![1], false).await.unwrap();
    assert_eq!(listener.order().await, 1);
    let held = || async { db.outbox().await.unwrap().last_error };
    let error = eventually(Duration::from_secs(20), "it is refused", held).await;
    assert!(error.starts_with("its column `properties` cannot be read"), "{error}");
    app.stop().await.unwrap();
}
