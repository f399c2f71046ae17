use kinoko::{protocol::Message, transport::Delivery};
use kinoko_tests::{Deliveries, body, message, soon};

use crate::broker::{Broker, publish, requester, waiting};

pub(crate) async fn ack_removes(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, _replies) = requester(&*transport).await;
    let (sink, deliveries) = Deliveries::new();
    let consumer = soon("a consumer", transport.consume(queue.clone(), 2, sink)).await.unwrap();
    for number in 0..10 {
        publish(&*requester, message("", &queue, &number.to_string())).await;
    }
    for number in 0..10 {
        let delivery = deliveries.next().await;
        assert_eq!((body(delivery.message()), delivery.redelivered()), (number.to_string(), false));
        delivery.ack();
    }
    soon("a cancel", consumer.cancel()).await;
    transport.close().await;
    let other = broker.open().await;
    waiting(&*other, &queue, 0).await;
    other.close().await;
}

pub(crate) async fn reply_acknowledges(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, replies) = requester(&*transport).await;
    let (sink, deliveries) = Deliveries::new();
    // With a prefetch of one, the next delivery is the proof that the one before is settled.
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 1, sink)).await.unwrap();
    for number in 0..20 {
        publish(&*requester, message("", &queue, &number.to_string())).await;
    }
    for number in 0..20 {
        let delivery = deliveries.next().await;
        assert_eq!((body(delivery.message()), delivery.redelivered()), (number.to_string(), false));
        let reply = reply_to(&delivery);
        soon("a reply's publish", delivery.reply(reply)).await.unwrap();
        assert_eq!(body(&replies.next().await), number.to_string());
    }
    waiting(&*transport, &queue, 0).await;
    transport.close().await;
}

fn reply_to(delivery: &Delivery) -> Message {
    let request = delivery.message();
    Message {
        routing_key: request.properties.reply_to.clone().expect("a request says where its reply goes"),
        body: request.body.clone(),
        ..Message::default()
    }
}

async fn is_redelivered_after(broker: &Broker, give_back: impl Fn(Delivery)) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, replies) = requester(&*transport).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 1, sink)).await.unwrap();
    publish(&*requester, message("", &queue, "again")).await;
    let delivery = deliveries.next().await;
    assert!(!delivery.redelivered());
    give_back(delivery);
    let delivery = deliveries.next().await;
    assert_eq!((body(delivery.message()), delivery.redelivered()), ("again".to_owned(), true));
    assert_eq!(delivery.message().properties.correlation_id.as_deref(), Some("again"));
    delivery.ack();
    waiting(&*transport, &queue, 0).await;
    assert!(replies.ready().await.is_none());
    transport.close().await;
}

pub(crate) async fn requeue_redelivers_with_the_flag(broker: &Broker) {
    is_redelivered_after(broker, Delivery::requeue).await;
}

pub(crate) async fn dropped_delivery_is_redelivered(broker: &Broker) {
    is_redelivered_after(broker, drop).await;
}

/// A reply that nobody awaits is no verdict. (In memory it is done before it could be dropped.)
pub(crate) async fn dropped_reply_is_redelivered(broker: &Broker) {
    if broker.is_memory() {
        return;
    }
    is_redelivered_after(broker, |delivery| {
        let reply = reply_to(&delivery);
        drop(delivery.reply(reply));
    })
    .await;
}
