use kinoko::{
    ErrorKind,
    protocol::Message,
    transport::{ConnectionState, Topology},
};
use kinoko_tests::{Deliveries, Replies, body, message, soon};

use crate::broker::{Broker, publish, requester, waiting};

pub(crate) async fn after_close_everything_fails_with_closed(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, _replies) = requester(&*transport).await;
    let (sink, _deliveries) = Deliveries::new();
    let consumer = soon("a consumer", transport.consume(queue.clone(), 1, sink)).await.unwrap();
    assert_eq!(*transport.state().borrow(), ConnectionState::Connected);
    soon("a close", transport.close()).await;
    soon("a second close", transport.close()).await;
    assert_eq!(*transport.state().borrow(), ConnectionState::Closed);
    let kinds = [
        soon("declare", transport.declare(Topology::default())).await.err(),
        soon("consume", transport.consume(queue.clone(), 1, Deliveries::new().0)).await.err(),
        soon("open_requester", transport.open_requester("late", Replies::new().0)).await.err(),
        soon("publish", transport.publish(message("", &queue, "late"))).await.err(),
        soon("queue_status", transport.queue_status(&queue)).await.err(),
        soon("request", requester.request(message("", &queue, "late"))).await.err(),
    ]
    .map(|error| error.map(|error| error.kind()));
    assert_eq!(kinds, [Some(ErrorKind::Closed); 6]);
    soon("a cancel", consumer.cancel()).await;
    consumer.grow(1);
}

pub(crate) async fn close_hands_unsettled_messages_to_others(broker: &Broker) {
    let (here, there) = (broker.open().await, broker.open().await);
    let queue = broker.declared(&*there).await;
    let (requester, _replies) = requester(&*there).await;
    for id in ["1", "2", "3"] {
        publish(&*requester, message("", &queue, id)).await;
    }
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", here.consume(queue.clone(), 10, sink)).await.unwrap();
    let mut held = deliveries.take(3).await;
    held.remove(0).ack();
    soon("a close", here.close()).await;
    waiting(&*there, &queue, 2).await;
    // What is settled after the close is settled into nothing.
    held.remove(0).ack();
    held.remove(0).requeue();
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", there.consume(queue.clone(), 10, sink)).await.unwrap();
    for id in ["2", "3"] {
        let delivery = deliveries.next().await;
        assert_eq!((&*body(delivery.message()), delivery.redelivered()), (id, true));
        delivery.ack();
    }
    waiting(&*there, &queue, 0).await;
    assert!(deliveries.ready().await.is_none());
    there.close().await;
}

pub(crate) async fn close_flushes_replies_and_acknowledgements(broker: &Broker) {
    const COUNT: usize = 200;
    let (client, server) = (broker.open().await, broker.open().await);
    let queue = broker.declared(&*client).await;
    let (requester, replies) = requester(&*client).await;
    for number in 0..COUNT {
        publish(&*requester, message("", &queue, &number.to_string())).await;
    }
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", server.consume(queue.clone(), COUNT as u16, sink)).await.unwrap();
    for delivery in deliveries.take(COUNT).await {
        let request = delivery.message();
        let reply = Message {
            routing_key: request.properties.reply_to.clone().expect("a request says where its reply goes"),
            body: request.body.clone(),
            ..Message::default()
        };
        soon("a reply's publish", delivery.reply(reply)).await.unwrap();
    }
    soon("a close", server.close()).await;
    for number in 0..COUNT {
        assert_eq!(body(&replies.next().await), number.to_string());
    }
    waiting(&*client, &queue, 0).await;
    client.close().await;
}

pub(crate) async fn close_tells_who_waits_for_replies(broker: &Broker) {
    let transport = broker.open().await;
    let (_requester, replies) = requester(&*transport).await;
    soon("a close", transport.close()).await;
    let mut losses = replies.losses();
    soon("the loss", losses.wait_for(|count| *count == 1)).await.unwrap();
}
