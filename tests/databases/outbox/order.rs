//! What keeps its order with what.

use std::collections::HashMap;

use kinoko_tests::soon;

use super::{OrdersClient, Place, Placed, emptied, on_both};

on_both!(
    one_transaction_keeps_its_order,
    one_key_keeps_its_order_across_transactions,
    nothing_overtakes_a_transaction_that_commits_later,
);

async fn one_transaction_keeps_its_order(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    // More than is read at once.
    app.client::<OrdersClient>().place((0..2000).collect(), false).await.unwrap();
    assert_eq!(listener.orders(2000).await, (0..2000).collect::<Vec<_>>());
    app.stop().await.unwrap();
}

async fn one_key_keeps_its_order_across_transactions(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    let orders = app.client::<OrdersClient>();
    for number in 0..200 {
        orders.place_in_order((number % 3).to_string(), number).await.unwrap();
    }
    let mut last: HashMap<i64, i64> = HashMap::new();
    for order in listener.orders(200).await {
        assert!(last.insert(order % 3, order).is_none_or(|last| last < order), "{order} came late");
    }
    emptied(&place).await;
    app.stop().await.unwrap();
}

/// On PostgreSQL the second one has the higher id and would commit first; it waits instead. On SQLite it could not even begin.
async fn nothing_overtakes_a_transaction_that_commits_later(place: Place) {
    use kinoko::prelude::*;

    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    let (db, orders) = (place.database().await, app.client::<OrdersClient>());
    let events = EventDispatcher::connect(&place.broker).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    events.in_tx(&mut tx).dispatch(&Placed { order: 1 }).ordered_by("one").await.unwrap();
    let second = kinoko::spawn(async move { orders.place_in_order("one".into(), 2).await });
    if !place.is_sqlite() {
        // Another order does not wait for it.
        let other = app.client::<OrdersClient>().place_in_order("other".into(), 3);
        soon("an answer", async move { other.await }).await.unwrap();
        assert_eq!(listener.order().await, 3);
    }
    assert!(!second.is_finished());
    tx.commit().await.unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(listener.orders(2).await, [1, 2]);
    app.stop().await.unwrap();
}
