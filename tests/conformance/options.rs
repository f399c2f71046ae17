//! What queues and exchanges can be asked for.

use std::time::Duration;

use kinoko::{
    ErrorKind,
    protocol::{Headers, Message, Name, Value},
    transport::{Binding, Delivery, ExchangeKind, Queue, Topology, Transport},
};
use kinoko_tests::{Deliveries, body, captured_log, eventually, message, soon};
use serde_json::json;

use crate::broker::{Broker, binding, declare, waiting};

async fn declared(transport: &dyn Transport, queue: Queue) -> Name {
    let name = queue.name.clone();
    declare(transport, Topology { queues: vec![queue], ..Topology::default() }).await;
    name
}

async fn send(transport: &dyn Transport, exchange: &str, key: &str, id: &str) -> Result<bool, ErrorKind> {
    let published = soon("a confirm", transport.publish(message(exchange, key, id))).await;
    published.map(|published| published.routed).map_err(|error| error.kind())
}

async fn ids(deliveries: &Deliveries, count: usize) -> Vec<String> {
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let delivery = deliveries.next().await;
        ids.push(body(delivery.message()));
        delivery.ack();
    }
    ids
}

pub(crate) async fn quorum_queue_keeps_the_same_promises(broker: &Broker) {
    let transport = broker.open().await;
    let queue = declared(&*transport, broker.queue().quorum().argument("x-delivery-limit", 1000)).await;
    for id in ["1", "2", "3"] {
        assert_eq!(send(&*transport, "", &queue, id).await, Ok(true));
    }
    waiting(&*transport, &queue, 3).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 2, sink)).await.unwrap();
    let mut held = deliveries.take(2).await;
    assert!(deliveries.ready().await.is_none());
    held.remove(0).requeue();
    let mut again: Vec<_> = deliveries.take(1).await;
    held.pop().expect("the second").ack();
    again.extend(deliveries.take(1).await);
    let mut seen: Vec<_> = again.iter().map(|delivery| (body(delivery.message()), delivery.redelivered())).collect();
    seen.sort();
    assert_eq!(seen, [("1".to_owned(), true), ("3".to_owned(), false)]);
    again.into_iter().for_each(Delivery::ack);
    waiting(&*transport, &queue, 0).await;
    transport.close().await;
}

pub(crate) async fn impossible_queue_is_refused(broker: &Broker) {
    let transport = broker.open().await;
    for queue in [
        Queue { exclusive: true, ..broker.queue().quorum() },
        Queue { auto_delete: true, ..broker.queue().quorum() },
        Queue { durable: false, ..broker.queue().quorum() },
    ] {
        let name = queue.name.clone();
        let topology = Topology { queues: vec![queue], ..Topology::default() };
        let error = soon("a verdict", transport.declare(topology)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(&*name), "{error}");
        assert!(transport.queue_status(&name).await.unwrap().is_none());
    }
    transport.close().await;
}

pub(crate) async fn what_exists_is_adopted_with_one_warning(broker: &Broker) {
    captured_log();
    let (here, there) = (broker.open().await, broker.open().await);
    let (queue, exchange) = (broker.queue(), broker.exchange(ExchangeKind::Topic));
    let topology = Topology {
        bindings: vec![binding(&exchange, &queue, "a.*")],
        exchanges: vec![exchange.clone()],
        queues: vec![queue.clone()],
    };
    declare(&*here, topology.clone()).await;
    let mut other = topology;
    other.queues[0].arguments.set("x-max-length", 7);
    other.exchanges[0].kind = ExchangeKind::Fanout;
    declare(&*there, other.clone()).await;
    declare(&*there, other).await;
    assert_eq!(send(&*there, &exchange.name, "a.b", "1").await, Ok(true));
    assert_eq!(send(&*there, &exchange.name, "b", "2").await, Ok(false), "it is a topic exchange as it was");
    let log = captured_log();
    for name in [&queue.name, &exchange.name] {
        let warnings = log.lines().filter(|line| line.contains(&**name) && line.contains("used as it is"));
        assert_eq!(warnings.count(), 1, "for {name}");
    }
    here.close().await;
    there.close().await;
}

pub(crate) async fn single_active_consumer_gets_all_until_it_ends(broker: &Broker) {
    let (here, there) = (broker.open().await, broker.open().await);
    let queue = declared(&*here, Queue { single_active_consumer: true, ..broker.queue() }).await;
    let ((first_sink, first), (second_sink, second)) = (Deliveries::new(), Deliveries::new());
    let active = soon("a consumer", here.consume(queue.clone(), 2, first_sink)).await.unwrap();
    let _next = soon("a consumer", there.consume(queue.clone(), 2, second_sink)).await.unwrap();
    for number in 0..6 {
        assert_eq!(send(&*here, "", &queue, &number.to_string()).await, Ok(true));
    }
    assert_eq!(ids(&first, 2).await, ["0", "1"]);
    let held = first.take(2).await;
    waiting(&*here, &queue, 2).await;
    assert!(second.ready().await.is_none(), "the other one waits, although it has room");
    soon("a cancel", active.cancel()).await;
    assert_eq!(ids(&second, 2).await, ["4", "5"]);
    held.into_iter().for_each(Delivery::ack);
    waiting(&*here, &queue, 0).await;
    here.close().await;
    there.close().await;
}

pub(crate) async fn higher_priorities_come_first(broker: &Broker) {
    let transport = broker.open().await;
    let queue = declared(&*transport, broker.queue().argument("x-max-priority", 5)).await;
    for (id, priority) in [("none", None), ("1", Some(1)), ("5", Some(5)), ("200", Some(200)), ("1 too", Some(1))] {
        let mut message = message("", &queue, id);
        message.properties.priority = priority;
        assert!(soon("a confirm", transport.publish(message)).await.unwrap().routed);
    }
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 1, sink)).await.unwrap();
    let first = deliveries.next().await;
    assert_eq!((&*body(first.message()), first.message().properties.priority), ("5", Some(5)));
    first.requeue();
    assert_eq!(ids(&deliveries, 5).await, ["5", "200", "1", "1 too", "none"]);
    transport.close().await;
}

pub(crate) async fn full_queue_drops_its_oldest_or_refuses(broker: &Broker) {
    let transport = broker.open().await;
    let drops = declared(&*transport, broker.queue().argument("x-max-length", 2)).await;
    let refuses = broker.queue().argument("x-max-length", 2).argument("x-overflow", "reject-publish");
    let refuses = declared(&*transport, refuses).await;
    for id in ["1", "2", "3"] {
        assert_eq!(send(&*transport, "", &drops, id).await, Ok(true));
        let expected = if id == "3" { Err(ErrorKind::Rejected) } else { Ok(true) };
        assert_eq!(send(&*transport, "", &refuses, id).await, expected);
    }
    for (queue, expected) in [(drops, ["2", "3"]), (refuses, ["1", "2"])] {
        waiting(&*transport, &queue, 2).await;
        let (sink, deliveries) = Deliveries::new();
        let _consumer = soon("a consumer", transport.consume(queue, 5, sink)).await.unwrap();
        assert_eq!(ids(&deliveries, 2).await, expected);
    }
    transport.close().await;
}

pub(crate) async fn messages_expire_as_their_queue_says(broker: &Broker) {
    let transport = broker.open().await;
    let queue = declared(&*transport, broker.queue().argument("x-message-ttl", 200)).await;
    assert_eq!(send(&*transport, "", &queue, "1").await, Ok(true));
    let empty = || async { (transport.queue_status(&queue).await.unwrap().unwrap().messages == 0).then_some(()) };
    eventually(Duration::from_secs(10), "the message expires", empty).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 1, sink)).await.unwrap();
    assert_eq!(send(&*transport, "", &queue, "2").await, Ok(true));
    assert_eq!(ids(&deliveries, 1).await, ["2"]);
    transport.close().await;
}

pub(crate) async fn exclusive_queue_is_its_connections_alone(broker: &Broker) {
    let (here, there) = (broker.open().await, broker.open().await);
    let queue = Queue { exclusive: true, durable: false, expires: None, ..broker.queue() };
    let name = declared(&*here, queue.clone()).await;
    let error = soon("a verdict", there.declare(Topology { queues: vec![queue], ..Topology::default() })).await;
    assert_eq!(error.map_err(|error| error.kind()), Err(ErrorKind::Usage));
    // Anybody may publish to it.
    assert_eq!(send(&*there, "", &name, "1").await, Ok(true));
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", here.consume(name.clone(), 1, sink)).await.unwrap();
    assert_eq!(ids(&deliveries, 1).await, ["1"]);
    here.close().await;
    let gone = || async { (send(&*there, "", &name, "2").await == Ok(false)).then_some(()) };
    eventually(Duration::from_secs(10), "the queue goes with its connection", gone).await;
    there.close().await;
}

pub(crate) async fn auto_delete_queue_and_exchange_go_when_they_are_left(broker: &Broker) {
    let transport = broker.open().await;
    let queue = Queue { auto_delete: true, expires: None, ..broker.queue() };
    let mut exchange = broker.exchange(ExchangeKind::Topic);
    exchange.auto_delete = true;
    let topology = Topology {
        bindings: vec![binding(&exchange, &queue, "a.*")],
        exchanges: vec![exchange.clone()],
        queues: vec![queue.clone()],
    };
    declare(&*transport, topology).await;
    let (sink, _deliveries) = Deliveries::new();
    let consumer = soon("a consumer", transport.consume(queue.name.clone(), 1, sink)).await.unwrap();
    assert_eq!(send(&*transport, &exchange.name, "a.b", "1").await, Ok(true));
    soon("a cancel", consumer.cancel()).await;
    let gone = || async { transport.queue_status(&queue.name).await.unwrap().is_none().then_some(()) };
    eventually(Duration::from_secs(10), "the queue goes with its consumer", gone).await;
    // Where the exchange were still there, it would still be a topic exchange.
    exchange.kind = ExchangeKind::Fanout;
    let other = broker.queue();
    let topology = Topology {
        bindings: vec![binding(&exchange, &other, "")],
        exchanges: vec![exchange.clone()],
        queues: vec![other.clone()],
    };
    declare(&*transport, topology).await;
    assert_eq!(send(&*transport, &exchange.name, "any", "2").await, Ok(true));
    transport.close().await;
}

pub(crate) async fn headers_exchange_routes_by_arguments(broker: &Broker) {
    let transport = broker.open().await;
    let exchange = broker.exchange(ExchangeKind::Headers);
    let (all, any) = (broker.queue(), broker.queue());
    let bound = |queue: &Queue, arguments: Value| {
        let entries = arguments.as_object().unwrap().clone();
        Binding { arguments: Headers::from_iter(entries), ..binding(&exchange, queue, "") }
    };
    let topology = Topology {
        bindings: vec![
            bound(&all, json!({"color": "red", "size": 7})),
            bound(&any, json!({"x-match": "any", "color": "red", "size": 7})),
        ],
        exchanges: vec![exchange.clone()],
        queues: vec![all.clone(), any.clone()],
    };
    declare(&*transport, topology).await;
    for (id, headers, routed) in [
        ("both", json!({"color": "red", "size": 7, "more": true}), true),
        ("one", json!({"color": "blue", "size": 7}), true),
        ("none", json!({"color": "blue"}), false),
    ] {
        let mut message: Message = message(&exchange.name, "ignored", id);
        message.properties.headers = Headers::from_iter(headers.as_object().unwrap().clone());
        assert_eq!(soon("a confirm", transport.publish(message)).await.unwrap().routed, routed, "{id}");
    }
    for (queue, expected) in [(all, vec!["both"]), (any, vec!["both", "one"])] {
        waiting(&*transport, &queue.name, expected.len() as u32).await;
        let (sink, deliveries) = Deliveries::new();
        let _consumer = soon("a consumer", transport.consume(queue.name, 5, sink)).await.unwrap();
        assert_eq!(ids(&deliveries, expected.len()).await, expected);
    }
    transport.close().await;
}

/// RabbitMQ honours this one; where a broker does not, it says so, once.
pub(crate) async fn argument_is_honoured_or_told(broker: &Broker) {
    captured_log();
    let transport = broker.open().await;
    let queue = broker.queue().argument("x-max-length-bytes", 5);
    let name = queue.name.clone();
    for _ in 0..2 {
        declare(&*transport, Topology { queues: vec![queue.clone()], ..Topology::default() }).await;
    }
    for id in ["1234", "5678"] {
        assert_eq!(send(&*transport, "", &name, id).await, Ok(true));
    }
    let honoured = soon("a status", transport.queue_status(&name)).await.unwrap().unwrap().messages == 1;
    let told =
        captured_log().lines().filter(|line| line.contains(&*name) && line.contains("x-max-length-bytes")).count();
    assert_eq!((honoured, told), if broker.is_memory() { (false, 1) } else { (true, 0) });
    transport.close().await;
}
