use std::{
    collections::HashMap,
    fs,
    time::{Duration, Instant},
};

use kinoko::{
    ErrorKind,
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology},
};
use kinoko_tests::{Deliveries, PrivateBroker, Raw, body, eventually, message, soon, unique};
use tokio::{task::JoinSet, time::timeout};

use crate::support::open;

/// A node boots in 5 to 8 s, and each message passes a dozen queues.
const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn delayed_messages_survive_their_publisher_and_a_killed_broker() {
    const COUNT: usize = 200;
    let mut broker = PrivateBroker::start_new();
    let (publisher, consumer) = (open(&broker.uri()).await, open(&broker.uri()).await);
    let (queue, exchange) = (Queue::durable(unique("broker.delayed")).quorum(), unique("broker.events"));
    let name = queue.name.clone();
    let topology = Topology {
        exchanges: vec![Exchange::durable(exchange.clone(), ExchangeKind::Topic)],
        queues: vec![queue],
        bindings: vec![Binding::new(exchange.clone(), name.clone(), "delayed.*")],
    };
    consumer.declare(topology).await.unwrap();
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..COUNT {
        let (publisher, id) = (publisher.clone(), number.to_string());
        let sent = if number % 2 == 0 { message("", &name, &id) } else { message(&exchange, "delayed.event", &id) };
        // Some are due before the broker dies, some while it is away, some later.
        let delay = Duration::from_millis(number as u64 * 61 % 12_000);
        tasks.spawn(async move {
            loop {
                let due = began.elapsed() + delay;
                match publisher.publish_later(sent.clone(), delay).await {
                    Ok(()) => return (number, due),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}"),
                }
            }
        });
    }
    let due: HashMap<usize, Duration> = tasks.join_all().await.into_iter().collect();
    publisher.close().await;
    let (sink, deliveries) = Deliveries::new();
    consumer.consume(name.clone(), 500, sink).await.unwrap();
    let mut arrived: HashMap<usize, Duration> = HashMap::new();
    let mut killed = false;
    while arrived.len() < COUNT {
        let delivery = timeout(LIMIT, deliveries.next()).await.expect("one after the other comes");
        let number: usize = body(delivery.message()).parse().unwrap();
        assert!(began.elapsed() >= due[&number], "{number} is early");
        arrived.entry(number).or_insert_with(|| began.elapsed());
        delivery.ack();
        if arrived.len() == COUNT / 4 && !killed {
            killed = true;
            broker = tokio::task::spawn_blocking(move || {
                broker.kill9();
                broker.start();
                broker
            })
            .await
            .unwrap();
        }
    }
    consumer.close().await;
}

/// RabbitMQ restores bindings one after the other, while its queues give away what is due. Here one of them comes very late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn what_is_due_before_its_binding_is_restored_waits_for_it() {
    let mut broker = PrivateBroker::stopped();
    broker.configure_advanced("[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 500}]}].");
    broker.start();
    let transport = open(&broker.uri()).await;
    let (exchange, queue, late) = (unique("broker.events"), unique("broker.delayed"), unique("broker.delayed"));
    let topology = Topology {
        exchanges: vec![Exchange::durable(exchange.clone(), ExchangeKind::Topic)],
        queues: vec![Queue::durable(queue.clone()), Queue::durable(late.clone())],
        bindings: vec![
            Binding::new(exchange.clone(), queue.clone(), "first"),
            Binding::new(exchange.clone(), late.clone(), "second"),
        ],
    };
    soon("a declaration", transport.declare(topology)).await.unwrap();
    let sent = |key| {
        let mut message = message(&exchange, key, key);
        message.properties.persistent = true;
        transport.publish_later(message, Duration::from_secs(12))
    };
    soon("a confirm", sent("first")).await.unwrap();
    soon("a confirm", sent("second")).await.unwrap();
    transport.close().await;
    Raw::connect(&broker.uri()).await.unbind(&late, &exchange, "second").await;
    // Not killed: RabbitMQ may forget what a quorum queue holds that is younger than a second.
    broker.stop();
    broker.start();

    let raw = Raw::connect(&broker.uri()).await;
    assert_eq!(raw.next(&queue).await.1, b"first", "whose binding is there");
    let tried = || async {
        let logs = fs::read_dir(broker.directory().join("log")).unwrap().map(|log| fs::read(log.unwrap().path()));
        let logs: String = logs.map(|log| String::from_utf8_lossy(&log.unwrap()).into_owned()).collect();
        logs.contains("with configured dead-letter-exchange").then_some(())
    };
    eventually(LIMIT, "the second one is tried in vain", tried).await;
    raw.bind(&late, &exchange, "second").await;
    assert_eq!(raw.next(&late).await.1, b"second", "whose binding has come");
}
