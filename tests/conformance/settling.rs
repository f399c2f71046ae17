use std::sync::Arc;

use futures_util::future::join_all;
use kinoko::{
    protocol::{Message, Name},
    transport::{Consumer, Delivery, Queue, Topology, Transport},
};
use kinoko_tests::{Deliveries, body, message, soon};

use crate::broker::{Broker, declare, publish, requester, waiting};

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

/// As handlers with an order have it.
fn in_order(broker: &Broker) -> Queue {
    Queue { single_active_consumer: true, ..broker.queue() }.quorum().argument("x-delivery-limit", 1000)
}

/// A queue with ten messages, of which a first consumer holds six and a second one none.
struct InOrder {
    first: Arc<dyn Transport>,
    second: Arc<dyn Transport>,
    queue: Name,
    consumer: Arc<dyn Consumer>,
    held: Vec<Delivery>,
    /// What came since.
    _more: Deliveries,
    next: Deliveries,
}

impl InOrder {
    async fn new(broker: &Broker) -> Self {
        let (first, second) = (broker.open().await, broker.open().await);
        let queue = in_order(broker);
        let name = queue.name.clone();
        declare(&*first, Topology { queues: vec![queue], ..Topology::default() }).await;
        for number in 0..10 {
            soon("a publish", first.publish(message("", &name, &number.to_string()))).await.unwrap();
        }
        let ((sink, more), (next_sink, next)) = (Deliveries::new(), Deliveries::new());
        let consumer = soon("a consumer", first.consume(name.clone(), 6, sink)).await.unwrap();
        let held = more.take(6).await.into_iter().map(Delivery::in_order).collect();
        let _second = soon("a consumer", second.consume(name.clone(), 20, next_sink)).await.unwrap();
        Self { first, second, queue: name, consumer, held, _more: more, next }
    }

    /// Nine are left, in their order, and the broker says how often it has delivered them.
    async fn the_next_one_gets_the_others(self) {
        for number in 1..10 {
            let delivery = self.next.next().await;
            assert_eq!((body(delivery.message()), delivery.redelivered()), (number.to_string(), number < 7));
            let count = delivery.message().properties.headers.get("x-delivery-count");
            assert!(count.is_none() || count == Some(&1.into()), "{number} {count:?}");
            delivery.ack();
        }
        waiting(&*self.second, &self.queue, 0).await;
        self.first.close().await;
        self.second.close().await;
    }
}

pub(crate) async fn what_is_given_back_at_once_keeps_its_order(broker: &Broker) {
    let mut broker = InOrder::new(broker).await;
    broker.held.remove(0).ack();
    soon("the end of a consumer", broker.consumer.give_back()).await;
    broker.the_next_one_gets_the_others().await;
}

pub(crate) async fn what_is_lost_at_once_keeps_its_order(broker: &Broker) {
    let mut broker = InOrder::new(broker).await;
    soon("an acknowledgement", broker.held.remove(0).ack_and_wait()).await.unwrap();
    soon("a close", broker.first.close()).await;
    broker.the_next_one_gets_the_others().await;
}

pub(crate) async fn delivery_in_order_does_not_go_back_by_itself(broker: &Broker) {
    let mut broker = InOrder::new(broker).await;
    // By themselves they would come again behind those that are held, or before them.
    for place in [4, 2, 1] {
        drop(broker.held.remove(place));
    }
    broker.held.remove(0).ack();
    waiting(&*broker.second, &broker.queue, 3).await;
    soon("the end of a consumer", broker.consumer.give_back()).await;
    broker.the_next_one_gets_the_others().await;
}

/// However many acknowledgements are on their way.
pub(crate) async fn what_was_acknowledged_is_not_given_back(broker: &Broker) {
    const ALL: usize = 250;
    let transport = broker.open().await;
    let queue = in_order(broker);
    let name = queue.name.clone();
    declare(&*transport, Topology { queues: vec![queue], ..Topology::default() }).await;
    for _ in 0..3 {
        join_all((0..ALL).map(|id| transport.publish(message("", &name, &id.to_string())))).await;
        let (sink, deliveries) = Deliveries::new();
        let consumer = soon("a consumer", transport.consume(name.clone(), 256, sink)).await.unwrap();
        deliveries.take(ALL).await.into_iter().for_each(Delivery::ack);
        soon("the end of a consumer", consumer.give_back()).await;
        waiting(&*transport, &name, 0).await;
    }
    transport.close().await;
}
