//! Events that come twice, known by their message id.

use std::time::Duration;

use kinoko::{
    protocol::{Message, Properties},
    transport::{TransportOptions, connect},
};
use kinoko_tests::{Deliveries, eventually, soon};

use super::{A_WHILE, Instance, on_each_database};

fn paid(id: Option<&str>, cents: i64) -> Message {
    Message {
        exchange: "idempotency_orders.events".into(),
        routing_key: "paid".into(),
        properties: Properties {
            content_type: Some("application/json".into()),
            message_id: id.map(|id| id.to_owned().into()),
            ..Properties::default()
        },
        body: cents.to_string().into(),
    }
}

const QUEUE: &str = "evt-idempotency_orders-paid--idempotency_payments.on_paid";

async fn publish(one: &Instance, message: Message) {
    let transport = connect(&one.broker, TransportOptions::default()).await.unwrap();
    assert!(transport.publish(message).await.unwrap().routed);
}

on_each_database! {
    async fn an_event_that_comes_twice_is_handled_once(place: Place) {
        let mut one = place.instance().await;
        publish(&one, paid(Some("a"), 5)).await;
        assert_eq!(one.next().await, "paid 5, attempt 1");
        publish(&one, paid(Some("a"), 5)).await;
        publish(&one, paid(Some("b"), 6)).await;
        assert_eq!(one.next().await, "paid 6, attempt 1");
        one.silence(A_WHILE).await;
        assert_eq!(place.entries().await, 2);
        // Without an id nothing is known of it.
        for _ in 0..2 {
            publish(&one, paid(None, 7)).await;
            assert_eq!(one.next().await, "paid 7, attempt 1");
        }
        one.app.stop().await.unwrap();
        let mut two = place.instance().await;
        publish(&two, paid(Some("a"), 5)).await;
        two.silence(A_WHILE).await;
        two.app.stop().await.unwrap();
    }

    async fn what_failed_is_tried_again_and_what_was_rejected_is_not(place: Place) {
        let mut one = place.instance().await;
        publish(&one, paid(Some("a"), 503)).await;
        assert_eq!(one.next().await, "paid 503, attempt 1");
        assert_eq!(one.next().await, "paid 503, attempt 2");
        publish(&one, paid(Some("b"), 410)).await;
        assert_eq!(one.next().await, "paid 410, attempt 1");
        publish(&one, paid(Some("b"), 410)).await;
        publish(&one, paid(Some("a"), 503)).await;
        one.silence(A_WHILE).await;
        // What became a dead letter can be replayed.
        for _ in 0..2 {
            publish(&one, paid(Some("c"), 402)).await;
            assert_eq!(one.next().await, "paid 402, attempt 1");
        }
        assert_eq!(place.entries().await, 1, "what was not handled has no effect");
        one.app.stop().await.unwrap();
    }

    async fn an_id_with_another_payload_is_a_dead_letter(place: Place) {
        let mut one = place.instance().await;
        publish(&one, paid(Some("a"), 5)).await;
        one.next().await;
        publish(&one, paid(Some("a"), 6)).await;
        let transport = connect(&one.broker, TransportOptions::default()).await.unwrap();
        let name = kinoko::protocol::Name::from(format!("kinoko.dead-{QUEUE}"));
        let there = || async { transport.queue_status(&name).await.unwrap().filter(|status| status.messages > 0) };
        eventually(Duration::from_secs(20), "a dead letter", there).await;
        let (sink, deliveries) = Deliveries::new();
        let _consumer = transport.consume(name.clone(), 1, sink).await.unwrap();
        let letter = soon("the letter", deliveries.next()).await;
        let code = letter.message().properties.headers.get("kinoko.dead.code");
        assert_eq!(code.and_then(|code| code.as_str()), Some("IDEMPOTENCY_KEY_REUSED"));
        assert_eq!(letter.message().body, "6");
        letter.ack();
        one.begun();
        one.app.stop().await.unwrap();
    }
}
