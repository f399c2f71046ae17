//! What somebody deletes while a program runs.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use kinoko::{
    ErrorKind,
    protocol::Name,
    transport::{Binding, Consumer, Exchange, ExchangeKind, Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, Raw, amqp_uri, body, captured_log, eventually, message, soon, unique};
use tokio::task::JoinSet;

use crate::support::open;

/// An exchange with a queue that is bound by `order.*`, declared by a transport and not consumed.
struct Declared {
    transport: Arc<dyn Transport>,
    raw: Raw,
    exchange: String,
    queue: Name,
}

impl Declared {
    async fn by(transport: Arc<dyn Transport>) -> Self {
        let (exchange, queue) = (unique("broker.events"), Name::from(unique("broker.queue")));
        let topology = Topology {
            exchanges: vec![Exchange::durable(exchange.clone(), ExchangeKind::Topic)],
            queues: vec![Queue::durable(queue.clone())],
            bindings: vec![Binding::new(exchange.clone(), queue.clone(), "order.*")],
        };
        soon("a declaration", transport.declare(topology)).await.unwrap();
        Self { transport, raw: Raw::connect(&amqp_uri()).await, exchange, queue }
    }

    /// By a transport that declares everything again each second.
    async fn often() -> Self {
        let options = TransportOptions { redeclare_interval: Duration::from_secs(1), ..TransportOptions::default() };
        Self::by(soon("a connection", connect(&amqp_uri(), options)).await.unwrap()).await
    }

    async fn consume(&self) -> (Arc<dyn Consumer>, Deliveries) {
        let (sink, deliveries) = Deliveries::new();
        (soon("a consumer", self.transport.consume(self.queue.clone(), 100, sink)).await.unwrap(), deliveries)
    }

    async fn publish(&self, id: &str) -> Result<bool, ErrorKind> {
        routed(&*self.transport, &self.exchange, "order.placed", id).await
    }

    async fn count(&self) -> Option<u32> {
        soon("a status", self.transport.queue_status(&self.queue)).await.unwrap().map(|status| status.messages)
    }

    async fn clean(self) {
        soon("a close", self.transport.close()).await;
        self.raw.delete_queue(&self.queue).await;
        self.raw.delete_exchange(&self.exchange).await;
    }
}

async fn routed(transport: &dyn Transport, exchange: &str, key: &str, id: &str) -> Result<bool, ErrorKind> {
    let published = soon("a verdict", transport.publish(message(exchange, key, id))).await;
    published.map(|published| published.routed).map_err(|error| error.kind())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn deleted_binding_and_exchange_come_back() {
    let declared = Declared::often().await;
    let (_consumer, deliveries) = declared.consume().await;
    // It declared nothing, so it repairs nothing.
    let stranger = open(&amqp_uri()).await;
    let arrives = async |id: &str| {
        let found = || async {
            let routed = routed(&*stranger, &declared.exchange, "order.placed", id).await;
            (routed == Ok(true)).then_some(())
        };
        eventually(Duration::from_secs(5), "a message finds its way again", found).await;
        let delivery = deliveries.next().await;
        assert_eq!(body(delivery.message()), id);
        delivery.ack();
    };
    arrives("before").await;
    declared.raw.unbind(&declared.queue, &declared.exchange, "order.*").await;
    assert_eq!(routed(&*stranger, &declared.exchange, "order.placed", "lost").await, Ok(false));
    arrives("without its binding").await;
    declared.raw.delete_exchange(&declared.exchange).await;
    let lost = routed(&*stranger, &declared.exchange, "order.placed", "lost").await;
    assert_eq!(lost, Err(ErrorKind::NoExchange));
    arrives("without its exchange").await;
    soon("a close", stranger.close()).await;
    declared.clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn queue_that_nobody_consumes_comes_back_and_one_that_was_removed_does_not() {
    let declared = Declared::often().await;
    let goes = Queue::durable(unique("broker.goes")).expires(Duration::from_secs(60));
    let (goes, topology) = (goes.name.clone(), Topology { queues: vec![goes], ..Topology::default() });
    soon("a declaration", declared.transport.declare(topology)).await.unwrap();
    declared.raw.delete_queue(&goes).await;
    for _ in 0..2 {
        declared.raw.delete_queue(&declared.queue).await;
        let back = || async { declared.count().await };
        eventually(Duration::from_secs(5), "the queue is there again", back).await;
    }
    // Two rounds have passed it by: it might have gone by itself.
    assert_eq!(soon("a status", declared.transport.queue_status(&goes)).await.unwrap(), None);
    assert!(soon("a removal", declared.transport.remove_queue(&declared.queue)).await.unwrap());
    let other = Queue::durable(unique("broker.queue"));
    let (other, topology) = (other.name.clone(), Topology { queues: vec![other], ..Topology::default() });
    soon("a declaration", declared.transport.declare(topology)).await.unwrap();
    declared.raw.delete_queue(&other).await;
    let back = || async { declared.transport.queue_status(&other).await.unwrap() };
    eventually(Duration::from_secs(5), "another round has passed", back).await;
    assert_eq!(declared.count().await, None);
    declared.raw.delete_queue(&other).await;
    declared.clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn deleted_queue_shows_as_a_gap_and_is_consumed_again() {
    let declared = Declared::by(open(&amqp_uri()).await).await;
    let (consumer, deliveries) = declared.consume().await;
    assert!(consumer.status().running);
    let stranger = open(&amqp_uri()).await;
    declared.raw.delete_queue(&declared.queue).await;
    let gap = || async { (consumer.status().interruptions == 1).then_some(()) };
    eventually(Duration::from_secs(2), "the gap shows", gap).await;
    let back = || async { consumer.status().running.then_some(()) };
    eventually(Duration::from_secs(2), "it is consumed again", back).await;
    // With its binding.
    assert_eq!(routed(&*stranger, &declared.exchange, "order.placed", "1").await, Ok(true));
    deliveries.next().await.ack();
    soon("a close", stranger.close()).await;
    declared.clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn publisher_brings_back_what_a_message_does_not_find() {
    let declared = Declared::by(open(&amqp_uri()).await).await;
    assert_eq!(declared.publish("1").await, Ok(true));
    declared.raw.unbind(&declared.queue, &declared.exchange, "order.*").await;
    assert_eq!(declared.publish("2").await, Ok(true), "without its binding");
    declared.raw.delete_exchange(&declared.exchange).await;
    assert_eq!(declared.publish("3").await, Ok(true), "without its exchange");
    assert_eq!(declared.count().await, Some(3));
    // Each way at most once a second.
    let again = || async {
        declared.raw.delete_queue(&declared.queue).await;
        (declared.publish("4").await == Ok(true)).then_some(())
    };
    eventually(Duration::from_secs(5), "without its queue", again).await;
    declared.raw.delete_queue(&declared.queue).await;
    assert_eq!(routed(&*declared.transport, "", &declared.queue, "5").await, Ok(true), "by the default exchange");
    assert_eq!(declared.count().await, Some(1));
    declared.clean().await;
}

/// Those that may have been taken are not published again, those that cannot have been are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn publishes_under_way_when_their_exchange_goes_are_never_doubled() {
    const TASKS: usize = 64;
    const EACH: usize = 60;
    let declared = Arc::new(Declared::by(open(&amqp_uri()).await).await);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let declared = declared.clone();
        tasks.spawn(async move {
            let mut taken = Vec::new();
            for number in 0..EACH {
                let id = format!("{task}-{number}");
                if task == 0 && number % 20 == 10 {
                    declared.raw.delete_exchange(&declared.exchange).await;
                }
                match declared.publish(&id).await {
                    Ok(routed) => taken.extend(routed.then_some(id)),
                    Err(kind) => assert!(matches!(kind, ErrorKind::OutcomeUnknown | ErrorKind::NoExchange), "{kind:?}"),
                }
            }
            taken
        });
    }
    let taken: HashSet<String> = tasks.join_all().await.into_iter().flatten().collect();
    let count = declared.count().await.unwrap() as usize;
    let (consumer, deliveries) = declared.consume().await;
    let mut found = HashSet::new();
    for _ in 0..count {
        let delivery = deliveries.next().await;
        assert!(found.insert(body(delivery.message())), "twice: {}", body(delivery.message()));
        delivery.ack();
    }
    let lost: Vec<_> = taken.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // Each deletion leaves at most a window full without a verdict.
    assert!(taken.len() >= TASKS * (EACH - 3 * 3), "{}", taken.len());
    soon("a cancel", consumer.cancel()).await;
    Arc::into_inner(declared).expect("the tasks have ended").clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn what_nobody_listens_to_is_not_declared_again_for_each_message() {
    captured_log();
    let declared = Declared::by(open(&amqp_uri()).await).await;
    // Somebody made it a direct exchange, where a pattern leads nowhere; it is used as it is.
    declared.raw.delete_exchange(&declared.exchange).await;
    declared.raw.declare_exchange(&declared.exchange, lapin::ExchangeKind::Direct).await;
    let began = Instant::now();
    for number in 0..300 {
        let id = number.to_string();
        assert_eq!(declared.publish(&id).await, Ok(false));
        // This leads nowhere by what was declared, so there is nothing to declare again.
        assert_eq!(routed(&*declared.transport, &declared.exchange, "customer.moved", &id).await, Ok(false));
    }
    let most = began.elapsed().as_secs() as usize + 1;
    let log = captured_log();
    let repairs =
        log.lines().filter(|line| line.contains("declared again") && line.contains(&declared.exchange)).count();
    assert!((1..=most).contains(&repairs), "{repairs} in {:?}", began.elapsed());
    declared.clean().await;
}
