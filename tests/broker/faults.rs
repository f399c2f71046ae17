use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use kinoko::{
    protocol::Message,
    transport::{Delivery, DeliverySink, Queue, Topology},
};
use kinoko_tests::{PrivateBroker, Raw, amqp_uri, body, captured_log, eventually, message, soon, unique};

use crate::support::{Echo, open, queue};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn headers_of_any_shape_are_read() {
    use lapin::{
        BasicProperties,
        types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable},
    };
    let echo = Echo::start(&amqp_uri()).await;
    let raw = Raw::connect(&amqp_uri()).await;
    let mut deep = AMQPValue::LongString("core".into());
    for _ in 0..500 {
        deep = AMQPValue::FieldArray(FieldArray::from(vec![deep]));
    }
    let mut headers = FieldTable::default();
    // Larger than the frames of the connection that publishes.
    headers.insert("large".into(), AMQPValue::LongString("x".repeat(100_000).into()));
    headers.insert("deep".into(), deep);
    headers.insert("time".into(), AMQPValue::Timestamp(1_800_000_000));
    headers.insert("bytes".into(), AMQPValue::ByteArray(ByteArray::from(b"\xffb".as_slice())));
    headers.insert("text".into(), AMQPValue::LongString(b"\xfft".as_slice().into()));
    headers.insert("decimal".into(), AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 150 }));
    headers.insert("void".into(), AMQPValue::Void);
    raw.publish(&echo.queue, b"yes", BasicProperties::default().with_headers(headers)).await;
    let delivery = echo.deliveries.next().await;
    let message = delivery.message();
    assert_eq!(body(message), "yes");
    let header = |key| message.properties.headers.get(key).cloned().expect("the header is there");
    assert_eq!(header("large").as_str().map(str::len), Some(100_000));
    assert_eq!(header("deep").to_string(), "[[[[[[[[]]]]]]]]");
    assert_eq!((header("time"), header("decimal")), (1_800_000_000.into(), 1.5.into()));
    assert_eq!((header("bytes"), header("text")), ("\u{fffd}b".into(), "\u{fffd}t".into()));
    assert!(header("void").is_null());
    delivery.ack();
    assert_eq!(echo.losses(), (0, 0));
    soon("a close", echo.transport.close()).await;
    raw.delete_queue(&echo.queue).await;
}

/// Panics at its first delivery.
struct Clumsy {
    calls: AtomicUsize,
    losses: AtomicUsize,
}

impl DeliverySink for Clumsy {
    fn deliver(&self, delivery: Delivery) {
        assert!(self.calls.fetch_add(1, Ordering::SeqCst) > 0, "a panic that the test wants");
        delivery.ack();
    }

    fn lost(&self) {
        self.losses.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn sink_that_panics_is_served_again() {
    let echo = Echo::start(&amqp_uri()).await;
    soon("a cancel", echo.consumer.cancel()).await;
    let clumsy = Arc::new(Clumsy { calls: AtomicUsize::new(0), losses: AtomicUsize::new(0) });
    let consuming = echo.transport.consume(echo.queue.clone(), 10, clumsy.clone());
    let _consumer = soon("a consumer", consuming).await.unwrap();
    for id in ["1", "2"] {
        echo.request(id).await;
    }
    let served = || async { (clumsy.calls.load(Ordering::SeqCst) == 3).then_some(()) };
    eventually(Duration::from_secs(10), "what the panic cost comes again", served).await;
    assert_eq!(clumsy.losses.load(Ordering::SeqCst), 1);
    soon("a close", echo.transport.close()).await;
}

/// Holds up the transport's thread at its first delivery, which no real sink may do.
struct Dam {
    gate: Mutex<mpsc::Receiver<()>>,
    passed: AtomicUsize,
}

impl DeliverySink for Dam {
    fn deliver(&self, delivery: Delivery) {
        if self.passed.fetch_add(1, Ordering::SeqCst) == 0 {
            self.gate.lock().unwrap().recv().unwrap();
        }
        delivery.ack();
    }

    fn lost(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn cancel_hands_back_what_was_on_its_way() {
    const COUNT: usize = 1000;
    let (transport, other) = (open(&amqp_uri()).await, open(&amqp_uri()).await);
    let queue = queue();
    let name = queue.name.clone();
    let raw = Raw::connect(&amqp_uri()).await;
    soon("a declaration", transport.declare(Topology { queues: vec![queue], ..Topology::default() })).await.unwrap();
    for number in 0..COUNT {
        raw.publish(&name, number.to_string().as_bytes(), Default::default()).await;
    }
    let waiting = |count: usize| {
        let (other, name) = (other.clone(), name.clone());
        async move {
            let count = u32::try_from(count).unwrap();
            let counted =
                || async { other.queue_status(&name).await.unwrap().filter(|status| status.messages == count) };
            eventually(Duration::from_secs(20), "the count of waiting messages", counted).await
        }
    };
    waiting(COUNT).await;
    let (open_gate, gate) = mpsc::channel();
    let dam = Arc::new(Dam { gate: Mutex::new(gate), passed: AtomicUsize::new(0) });
    let consumer = soon("a consumer", transport.consume(name.clone(), COUNT as u16, dam.clone())).await.unwrap();
    waiting(0).await;
    let cancelling = tokio::spawn(async move { consumer.cancel().await });
    open_gate.send(()).unwrap();
    soon("the cancel", cancelling).await.unwrap();
    let passed = dam.passed.load(Ordering::SeqCst);
    assert!((1..COUNT).contains(&passed), "{passed} of {COUNT} reached the sink");
    let status = waiting(COUNT - passed).await;
    assert_eq!(status.consumers, 0);
    assert_eq!(dam.passed.load(Ordering::SeqCst), passed, "nothing reaches the sink after the cancel");
    soon("a close", transport.close()).await;
    soon("a close", other.close()).await;
    raw.delete_queue(&name).await;
}

/// RELIABILITY, "Sequences that work" 1: cut the connections between replies and their acknowledgements, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn nothing_is_acknowledged_unanswered_when_connections_are_cut() {
    const COUNT: usize = 30_000;
    const CUTS: usize = 5;
    let broker = Arc::new(PrivateBroker::start_new());
    let requests = unique("broker.requests");
    let replies = unique("broker.replies");
    let raw = Raw::connect(&broker.uri()).await;
    raw.declare_queue(&requests, &[]).await;
    raw.declare_queue(&replies, &[]).await;
    for number in 0..COUNT {
        raw.publish(&requests, number.to_string().as_bytes(), Default::default()).await;
    }
    drop(raw);
    let echo = Echo::with_queue(open(&broker.uri()).await, Queue::durable(requests.clone())).await;
    echo.consumer.grow(190);
    let (transport, losses) = (echo.transport.clone(), echo.deliveries.losses());
    let server = tokio::spawn({
        let replies = replies.clone();
        async move {
            loop {
                let delivery = echo.deliveries.next().await;
                let reply = Message {
                    routing_key: replies.clone().into(),
                    body: delivery.message().body.clone(),
                    ..Message::default()
                };
                // A task for each, as a service has it; what fails goes back to its queue.
                tokio::spawn(async move { delivery.reply(reply).await });
            }
        }
    });
    for _ in 0..CUTS {
        let broker = broker.clone();
        tokio::task::spawn_blocking(move || broker.ctl(&["close_all_connections", "cut"])).await.unwrap();
    }
    let (request_queue, reply_queue) = (requests.clone().into(), replies.clone().into());
    let drained = || async {
        let status = transport.queue_status(&request_queue).await.unwrap()?;
        (status.messages == 0).then_some(())
    };
    eventually(Duration::from_secs(60), "every request was taken", drained).await;
    // Closing flushes what is still unsettled, and hands back what is not answered: so this is the final count.
    server.abort();
    soon("a close", transport.close()).await;
    let cuts = *losses.borrow();
    assert!(cuts >= 2, "the connections were cut {cuts} times while it worked");

    let witness = Echo::with_queue(open(&broker.uri()).await, Queue::durable(replies.clone())).await;
    let left = soon("a status", witness.transport.queue_status(&request_queue)).await.unwrap().unwrap().messages;
    let mut answered = HashSet::new();
    let all = soon("a status", witness.transport.queue_status(&reply_queue)).await.unwrap().unwrap().messages + 10;
    for _ in 0..all {
        let delivery = witness.deliveries.next().await;
        answered.insert(body(delivery.message()));
        delivery.ack();
        if answered.len() + left as usize >= COUNT {
            break;
        }
    }
    assert!(answered.len() + left as usize >= COUNT, "{} answered, {left} left of {COUNT}", answered.len());
    soon("a close", witness.transport.close()).await;
}
