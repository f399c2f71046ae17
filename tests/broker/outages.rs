use std::time::{Duration, Instant};

use kinoko::{
    protocol::Message,
    transport::{ConnectionState, Queue, Topology},
};
use kinoko_tests::{Deliveries, PrivateBroker, Replies, body, message, soon, unique};
use tokio::time::timeout;

use crate::support::{Echo, open, reach};

/// A node boots in 5 to 8 s.
const BOOT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn broker_that_comes_later_is_found() {
    let mut broker = PrivateBroker::stopped();
    let transport = open(&broker.uri()).await;
    assert!(matches!(*transport.state().borrow(), ConnectionState::Connecting(_)));
    let name = unique("broker.later");
    let waiting = tokio::spawn({
        let (transport, queue) = (transport.clone(), Queue::durable(name.clone()));
        async move { Echo::wait_for(transport, queue).await }
    });
    let started = tokio::task::spawn_blocking(move || {
        broker.start();
        (broker, Instant::now())
    });
    let (_broker, up) = started.await.unwrap();
    reach(&*transport, |state| *state == ConnectionState::Connected).await;
    report("from the first accepted connection to connected", up.elapsed());
    let echo = timeout(BOOT, waiting).await.unwrap().unwrap();
    echo.call("1").await;
    assert_eq!(echo.losses(), (0, 0));
    soon("a close", transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn kill_and_restart_under_requests() {
    let mut broker = PrivateBroker::start_new();
    let echo = Echo::with_queue(open(&broker.uri()).await, Queue::durable(unique("broker.restart"))).await;
    echo.consumer.grow(5);
    let first = echo.call("1").await;
    // Requests under way: some wait in the queue, some are held, some come while there is no broker.
    for number in 0..50 {
        echo.request(&format!("before {number}")).await;
    }
    let held = echo.deliveries.take(15).await;
    let killed = Instant::now();
    broker.kill9();
    echo.lost(1).await;
    report("from kill -9 to lost", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
    assert_eq!(echo.losses(), (1, 1));
    drop(held);
    assert!(matches!(*echo.transport.state().borrow(), ConnectionState::Connecting(_)));
    let withdrawn = echo.requester.request(message("", &echo.queue, "withdrawn"));
    assert!(timeout(Duration::from_millis(50), withdrawn).await.is_err(), "it waits for the broker");
    let waiting = echo.requester.request(message("", &echo.queue, "waited"));
    let waiting = tokio::spawn(waiting);

    let (broker, up) = tokio::task::spawn_blocking(move || {
        broker.start();
        (broker, Instant::now())
    })
    .await
    .unwrap();
    soon("the request that waited", waiting).await.unwrap().unwrap();
    report("from the first accepted connection to a written request", up.elapsed());
    let delivery = echo.deliveries.next().await;
    assert_eq!(
        body(delivery.message()),
        "waited",
        "transient requests died with the broker, the withdrawn one was never sent"
    );
    let second = delivery.message().properties.reply_to.clone().unwrap();
    assert_ne!(first, second.to_string());
    let reply = Message { routing_key: second, body: "waited".into(), ..Message::default() };
    soon("a reply's publish", delivery.reply(reply)).await.unwrap();
    assert_eq!(body(&echo.replies.next().await), "waited");
    // What it had grown by is kept.
    for number in 0..20 {
        echo.request(&format!("after {number}")).await;
    }
    let held = echo.deliveries.take(15).await;
    let left = soon("a status", echo.transport.queue_status(&echo.queue)).await.unwrap().unwrap();
    assert_eq!((left.messages, left.consumers), (5, 1));
    drop(held);
    soon("a close", echo.transport.close()).await;
    drop(broker);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn frozen_broker_is_noticed_within_three_seconds() {
    let broker = PrivateBroker::start_new();
    let echo = Echo::start(&broker.uri()).await;
    let first = echo.call("1").await;
    let frozen = Instant::now();
    broker.sigstop();
    // They reach the socket, and nobody answers.
    for number in 0..10 {
        echo.request(&format!("into the void {number}")).await;
    }
    echo.lost(1).await;
    let noticed = frozen.elapsed();
    report("from SIGSTOP to lost", noticed);
    assert!(noticed < Duration::from_secs(3), "{noticed:?}");
    let thawed = Instant::now();
    broker.sigcont();
    let second = echo.call("2").await;
    report("from SIGCONT to an answered call", thawed.elapsed());
    assert_ne!(first, second);
    assert_eq!(echo.losses(), (1, 1));
    soon("a close", echo.transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn close_does_not_wait_for_a_broker() {
    let mut broker = PrivateBroker::start_new();
    let echo = Echo::start(&broker.uri()).await;
    broker.kill9();
    echo.lost(1).await;
    let started = Instant::now();
    soon("a close", echo.transport.close()).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    soon("a cancel", echo.consumer.cancel()).await;
}

impl Echo {
    /// Like [`with_queue`](Self::with_queue), for as long as a node takes to boot.
    async fn wait_for(transport: std::sync::Arc<dyn kinoko::transport::Transport>, queue: Queue) -> Self {
        let name = queue.name.clone();
        transport.declare(Topology { queues: vec![queue], ..Topology::default() }).await.unwrap();
        let (sink, deliveries) = Deliveries::new();
        let consumer = transport.consume(name.clone(), 10, sink).await.unwrap();
        let (sink, replies) = Replies::new();
        let requester = transport.open_requester("broker", sink).await.unwrap();
        Self { transport, queue: name, deliveries, consumer, replies, requester }
    }
}

/// Times are worth knowing where they pass, too: `cargo test -- --nocapture`.
#[expect(clippy::print_stderr)]
fn report(what: &str, took: Duration) {
    eprintln!("{what}: {took:?}");
}
