use kinoko::{
    protocol::Message,
    transport::{Queue, Topology},
};
use kinoko_tests::{PrivateBroker, Raw, amqp_uri, body, captured_log, message, soon, unique};

use crate::support::{Echo, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn queue_with_other_arguments_is_adopted_with_one_warning() {
    captured_log();
    let raw = Raw::connect(&amqp_uri()).await;
    let name = unique("broker.adopted");
    raw.declare_queue(&name, &[("x-expires", 60_000.into()), ("x-max-length", 1000.into())]).await;
    let echo = Echo::with_queue(open(&amqp_uri()).await, Queue::durable(name.clone())).await;
    echo.call("1").await;
    let topology = Topology { queues: vec![Queue::durable(name.clone())], ..Topology::default() };
    soon("a declaration", echo.transport.declare(topology)).await.unwrap();
    echo.call("2").await;
    soon("a close", echo.transport.close()).await;
    let log = captured_log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(&name) && line.contains("WARN")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("inequivalent arg"), "{warnings:?}");
    raw.delete_queue(&name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn deleted_queue_is_declared_and_consumed_again() {
    let echo = Echo::start(&amqp_uri()).await;
    let first = echo.call("1").await;
    let raw = Raw::connect(&amqp_uri()).await;
    raw.delete_queue(&echo.queue).await;
    let mut losses = echo.deliveries.losses();
    soon("the loss", losses.wait_for(|count| *count == 1)).await.unwrap();
    // A request may meet the moment without a queue.
    let second = loop {
        echo.request("2").await;
        let reached = tokio::select! {
            delivery = echo.deliveries.next() => Some(delivery),
            _ = echo.replies.next_returned() => None,
        };
        if let Some(delivery) = reached {
            break delivery.message().properties.reply_to.clone().unwrap();
        }
    };
    assert_eq!(*first, *second, "the requester keeps its reply queue, so its connection");
    assert_eq!(echo.losses(), (1, 0));
    soon("a close", echo.transport.close()).await;
    raw.delete_queue(&echo.queue).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn request_to_no_exchange_is_lost_and_hurts_only_its_requester() {
    let echo = Echo::start(&amqp_uri()).await;
    let first = echo.call("1").await;
    let held = {
        echo.request("held").await;
        echo.deliveries.next().await
    };
    // The broker answers it by closing the channel that the requests leave by.
    soon("a request", echo.requester.request(message(&unique("no.exchange"), "key", "2"))).await.unwrap();
    let mut losses = echo.replies.losses();
    soon("the loss", losses.wait_for(|count| *count == 1)).await.unwrap();
    held.ack();
    let second = echo.call("3").await;
    assert_ne!(first, second, "a requester that lost replies has a fresh reply queue");
    assert_eq!(echo.losses(), (0, 1));
    let old = first.into();
    assert_eq!(soon("a status", echo.transport.queue_status(&old)).await.unwrap(), None, "the old one is gone");
    soon("a close", echo.transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn reply_to_no_exchange_does_not_end_the_others() {
    let echo = Echo::start(&amqp_uri()).await;
    echo.request("1").await;
    let delivery = echo.deliveries.next().await;
    let reply = Message { exchange: unique("no.exchange").into(), ..Message::default() };
    soon("a reply's publish", delivery.reply(reply)).await.unwrap();
    // Nobody can know whether the broker took it, so the request comes again.
    let delivery = echo.deliveries.next().await;
    assert!(delivery.redelivered() && body(delivery.message()) == "1");
    delivery.ack();
    // Until the channel is open again a reply may fail, and its request comes again as well.
    echo.request("2").await;
    loop {
        let delivery = echo.deliveries.next().await;
        let reply_to = delivery.message().properties.reply_to.clone().unwrap();
        let reply = Message { routing_key: reply_to, body: delivery.message().body.clone(), ..Message::default() };
        if soon("a reply's publish", delivery.reply(reply)).await.is_ok() {
            break;
        }
    }
    assert_eq!(body(&echo.replies.next().await), "2");
    assert_eq!(echo.losses(), (0, 0));
    soon("a close", echo.transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn connections_closed_by_the_broker_come_back() {
    let broker = PrivateBroker::start_new();
    let echo = Echo::start(&broker.uri()).await;
    let first = echo.call("1").await;
    echo.request("held").await;
    let held = echo.deliveries.next().await;
    broker.ctl(&["close_all_connections", "the test wants it"]);
    echo.lost(1).await;
    // The old tag means nothing to the new link.
    held.ack();
    let again = echo.deliveries.next().await;
    assert!(again.redelivered() && body(again.message()) == "held");
    again.ack();
    let second = echo.call("2").await;
    assert_ne!(first, second, "each link has a reply queue of its own");
    let old = first.into();
    assert_eq!(soon("a status", echo.transport.queue_status(&old)).await.unwrap(), None);
    assert_eq!(echo.losses(), (1, 1));
    soon("a close", echo.transport.close()).await;
}
