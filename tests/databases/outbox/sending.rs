//! What goes out, and what does not.

use std::time::{Duration, Instant};

use kinoko::{DispatchError, prelude::*};
use kinoko_tests::body;

use super::{OrdersClient, Place, Placed, emptied, on_both};

on_both!(
    a_commit_sends_at_once,
    a_rollback_sends_nothing,
    a_message_is_as_it_was_made,
    context_travels,
    what_is_sent_later_comes_later,
    what_could_never_be_sent_is_refused_before,
    what_was_committed_before_a_stop_goes_out,
    a_test_sees_what_was_committed,
);

async fn a_commit_sends_at_once(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    app.client::<OrdersClient>().place(vec![7], false).await.unwrap();
    let message = listener.next().await;
    assert_eq!(body(&message), r#"{"order":7}"#);
    assert_eq!((&*message.exchange, &*message.routing_key), ("outbox_orders.events", "placed"));
    let properties = &message.properties;
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert_eq!((properties.content_encoding.as_deref(), properties.priority), (Some("utf-8"), Some(0)));
    assert!(properties.persistent && properties.message_id.is_some());
    emptied(&place).await;
    app.stop().await.unwrap();
}

async fn a_rollback_sends_nothing(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    let orders = app.client::<OrdersClient>();
    for order in 1..20 {
        let fails = order % 2 == 0;
        assert_eq!(orders.place(vec![order], fails).await.is_err(), fails);
    }
    let mut sent = listener.orders(10).await;
    sent.sort_unstable();
    assert_eq!(sent, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    emptied(&place).await;
    app.stop().await.unwrap();
    assert!(listener.deliveries.ready().await.is_none());
}

async fn a_message_is_as_it_was_made(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("mail").await);
    app.client::<OrdersClient>().mail("outbox_orders.events".into()).await.unwrap();
    let message = listener.next().await;
    let properties = &message.properties;
    assert_eq!(body(&message), r#""hello""#);
    assert_eq!(properties.expiration, Some(Duration::from_secs(3600)));
    assert_eq!((properties.correlation_id.as_deref(), properties.kind.as_deref()), (Some("c"), Some("mail")));
    assert_eq!(properties.headers.get("x"), Some(&1.into()));
    app.stop().await.unwrap();
}

async fn context_travels(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    app.client::<OrdersClient>().place(vec![7], false).context("tenant", "acme").await.unwrap();
    let headers = &listener.next().await.properties.headers;
    assert_eq!(headers.get("nameko.tenant"), Some(&"acme".into()));
    let stack = headers.get("nameko.call_id_stack").unwrap().as_array().unwrap();
    assert!(stack.last().unwrap().as_str().unwrap().starts_with("outbox_orders.place."), "{stack:?}");
    app.stop().await.unwrap();
}

async fn what_is_sent_later_comes_later(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    let (orders, began) = (app.client::<OrdersClient>(), Instant::now());
    orders.later(1).await.unwrap();
    orders.place(vec![2], false).await.unwrap();
    assert_eq!(listener.order().await, 2);
    let status = place.database().await.outbox().await.unwrap();
    assert_eq!((status.later, status.oldest), (1, None), "{status:?}");
    assert_eq!(listener.order().await, 1);
    assert!(began.elapsed() >= Duration::from_millis(700));
    app.stop().await.unwrap();
}

async fn what_could_never_be_sent_is_refused_before(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    let db = place.database().await;
    let mut tx = db.begin().await.unwrap();
    let settings = kinoko::Settings::from_yaml("max_body_bytes: 1000").unwrap();
    let events = EventDispatcher::connect_with(&place.broker, &settings).await.unwrap();
    let large = events.in_tx(&mut tx).dispatch_to("outbox_orders", "placed", &"x".repeat(1000)).await;
    assert_eq!(large, Err(DispatchError::TooLarge { bytes: 1002, limit: 1000 }));
    let nameless = events.in_tx(&mut tx).dispatch_to("outbox_orders", "", &1).await;
    assert!(matches!(nameless, Err(DispatchError::Invalid(_))), "{nameless:?}");
    let ordered = events.in_tx(&mut tx).dispatch(&Placed { order: 1 }).after("1s").ordered_by(7).await.unwrap_err();
    assert_eq!(
        ordered.to_string(),
        "it cannot be sent as it is: what is sent later has no place in an order: leave `ordered_by` out, or the delay"
    );
    let strange = events.in_tx(&mut tx).dispatch_to("outbox_orders", "a\0b", &1).await;
    assert!(matches!(strange, Err(DispatchError::Invalid(_))), "{strange:?}");
    // The transaction is none the worse for it.
    events.in_tx(&mut tx).dispatch(&Placed { order: 2 }).ordered_by(7).await.unwrap();
    tx.commit().await.unwrap();
    // Of another pool: on SQLite its commit wakes nobody, on PostgreSQL it does.
    if place.is_sqlite() {
        app.client::<OrdersClient>().place(vec![3], false).await.unwrap();
        let mut sent = listener.orders(2).await;
        sent.sort_unstable();
        assert_eq!(sent, [2, 3]);
    } else {
        assert_eq!(listener.order().await, 2);
    }
    app.stop().await.unwrap();
}

async fn what_was_committed_before_a_stop_goes_out(place: Place) {
    let (app, listener) = (place.program(&[]).await, place.listener("placed").await);
    app.client::<OrdersClient>().place((0..50).collect(), false).await.unwrap();
    app.stop().await.unwrap();
    assert_eq!(listener.orders(50).await, (0..50).collect::<Vec<_>>());
    assert_eq!(place.database().await.outbox().await.unwrap().waiting, 0);
}

async fn a_test_sees_what_was_committed(place: Place) {
    let (events, recorded) = EventDispatcher::recording();
    let db = place.database().await;
    let mut tx = db.begin().await.unwrap();
    events.in_tx(&mut tx).dispatch(&Placed { order: 1 }).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    events.in_tx(&mut tx).dispatch(&Placed { order: 2 }).await.unwrap();
    assert!(recorded.all().is_empty(), "it has not committed yet");
    tx.commit().await.unwrap();
    assert_eq!(recorded.events::<Placed>().unwrap(), [Placed { order: 2 }]);
    assert_eq!(db.outbox().await.unwrap().waiting, 0);
}
