use std::time::Duration;

use kinoko_tests::{Deliveries, body, message, soon};

use crate::broker::{Broker, publish, requester, waiting};

pub(crate) async fn prefetch_bounds_what_is_unsettled(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, _replies) = requester(&*transport).await;
    for number in 0..10 {
        publish(&*requester, message("", &queue, &number.to_string())).await;
    }
    waiting(&*transport, &queue, 10).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 3, sink)).await.unwrap();
    let mut held = deliveries.take(3).await;
    waiting(&*transport, &queue, 7).await;
    assert!(deliveries.ready().await.is_none());
    // Settled in another order than delivered, each makes room for one.
    for (position, left) in [(1, 6), (0, 5), (0, 4)] {
        held.remove(position).ack();
        held.push(deliveries.next().await);
        waiting(&*transport, &queue, left).await;
        assert!(deliveries.ready().await.is_none());
    }
    drop(held);
    transport.close().await;
}

pub(crate) async fn grow_raises_the_prefetch(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, _replies) = requester(&*transport).await;
    for number in 0..20 {
        publish(&*requester, message("", &queue, &number.to_string())).await;
    }
    waiting(&*transport, &queue, 20).await;
    let (sink, deliveries) = Deliveries::new();
    let consumer = soon("a consumer", transport.consume(queue.clone(), 1, sink)).await.unwrap();
    let mut held = deliveries.take(1).await;
    waiting(&*transport, &queue, 19).await;
    consumer.grow(2);
    held.extend(deliveries.take(2).await);
    waiting(&*transport, &queue, 17).await;
    consumer.grow(1);
    consumer.grow(3);
    held.extend(deliveries.take(4).await);
    waiting(&*transport, &queue, 13).await;
    assert!(deliveries.ready().await.is_none());
    // What was there before and what came with each growth can be settled, and makes room.
    for delivery in held.drain(..) {
        delivery.ack();
    }
    held.extend(deliveries.take(7).await);
    waiting(&*transport, &queue, 6).await;
    soon("a cancel", consumer.cancel()).await;
    for delivery in held.drain(..) {
        delivery.ack();
    }
    waiting(&*transport, &queue, 6).await;
    transport.close().await;
}

pub(crate) async fn two_consumers_share_a_queue(broker: &Broker) {
    let (here, there) = (broker.open().await, broker.open().await);
    let queue = broker.declared(&*here).await;
    let ((first_sink, first), (second_sink, second)) = (Deliveries::new(), Deliveries::new());
    let _first = soon("a consumer", here.consume(queue.clone(), 5, first_sink)).await.unwrap();
    let _second = soon("a consumer", there.consume(queue.clone(), 5, second_sink)).await.unwrap();
    let (requester, _replies) = requester(&*here).await;
    for number in 0..10 {
        publish(&*requester, message("", &queue, &number.to_string())).await;
    }
    let held = (first.take(5).await, second.take(5).await);
    let mut all: Vec<u32> =
        held.0.iter().chain(&held.1).map(|delivery| body(delivery.message()).parse().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    for delivery in held.0.into_iter().chain(held.1) {
        delivery.ack();
    }
    here.close().await;
    there.close().await;
}

pub(crate) async fn cancel_stops_taking_and_leaves_settling(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, _replies) = requester(&*transport).await;
    for number in 0..5 {
        publish(&*requester, message("", &queue, &number.to_string())).await;
    }
    waiting(&*transport, &queue, 5).await;
    let (sink, deliveries) = Deliveries::new();
    let consumer = soon("a consumer", transport.consume(queue.clone(), 3, sink)).await.unwrap();
    let mut held = deliveries.take(3).await;
    soon("a cancel", consumer.cancel()).await;
    soon("a second cancel", consumer.cancel()).await;
    let status = transport.queue_status(&queue).await.unwrap().unwrap();
    assert_eq!((status.messages, status.consumers), (2, 0));
    publish(&*requester, message("", &queue, "after the cancel")).await;
    waiting(&*transport, &queue, 3).await;
    held.remove(0).ack();
    held.remove(0).requeue();
    waiting(&*transport, &queue, 4).await;
    held.remove(0).ack();
    assert!(deliveries.ready().await.is_none());
    // The last settled, nothing of the cancelled consumer is left on the broker.
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 10, sink)).await.unwrap();
    for delivery in deliveries.take(4).await {
        delivery.ack();
    }
    waiting(&*transport, &queue, 0).await;
    transport.close().await;
}

/// In a thread of its own: what this is about has no end when it goes wrong.
#[test]
fn a_test_that_fails_with_deliveries_left_ends() {
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let broker = Broker::memory();
            let transport = broker.open().await;
            let queue = broker.declared(&*transport).await;
            let (requester, _replies) = requester(&*transport).await;
            for number in 0..3 {
                publish(&*requester, message("", &queue, &number.to_string())).await;
            }
            let (sink, deliveries) = Deliveries::new();
            let _consumer = soon("a consumer", transport.consume(queue, 10, sink)).await.unwrap();
            drop(deliveries.next().await);
            drop(deliveries);
        });
        ended.send(()).unwrap();
    });
    end.recv_timeout(Duration::from_secs(20)).expect("it ends");
}
