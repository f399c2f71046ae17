use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use kinoko::{
    ErrorKind,
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology},
};
use kinoko_tests::{Deliveries, PrivateBroker, body, message, unique};
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
