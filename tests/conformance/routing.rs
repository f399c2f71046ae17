use std::time::Duration;

use kinoko::{
    protocol::{Headers, Message, Properties},
    transport::{ExchangeKind, Queue, Topology},
};
use kinoko_tests::{Deliveries, body, eventually, message, soon, unique};
use serde_json::json;

use crate::broker::{Broker, binding, declare, publish, requester, waiting};

pub(crate) async fn declaring_twice_changes_nothing(broker: &Broker) {
    let transport = broker.open().await;
    let (queue, exchange) = (broker.queue(), broker.exchange(ExchangeKind::Topic));
    let topology = Topology {
        bindings: vec![binding(&exchange, &queue, "key")],
        exchanges: vec![exchange.clone()],
        queues: vec![queue.clone()],
    };
    declare(&*transport, topology.clone()).await;
    let (requester, _replies) = requester(&*transport).await;
    publish(&*requester, message(&exchange.name, "key", "1")).await;
    waiting(&*transport, &queue.name, 1).await;
    declare(&*transport, topology.clone()).await;
    let other = broker.open().await;
    declare(&*other, topology).await;
    publish(&*requester, message(&exchange.name, "key", "2")).await;
    waiting(&*transport, &queue.name, 2).await;
    transport.close().await;
    other.close().await;
}

pub(crate) async fn default_exchange_routes_to_the_queue_of_that_name(broker: &Broker) {
    let transport = broker.open().await;
    let (queue, other) = (broker.declared(&*transport).await, broker.declared(&*transport).await);
    let (requester, _replies) = requester(&*transport).await;
    publish(&*requester, message("", &queue, "1")).await;
    waiting(&*transport, &queue, 1).await;
    waiting(&*transport, &other, 0).await;
    transport.close().await;
}

pub(crate) async fn topic_exchange_matches_one_word_and_any_words(broker: &Broker) {
    let transport = broker.open().await;
    let exchange = broker.exchange(ExchangeKind::Topic);
    let patterns = ["a.b", "a.*", "*.b", "a.#", "#.b", "#", "*", "a.#.b", "a.*.b", ""];
    let queues: Vec<Queue> = patterns.iter().map(|_| broker.queue()).collect();
    let bindings = queues.iter().zip(patterns).map(|(queue, pattern)| binding(&exchange, queue, pattern)).collect();
    let topology = Topology { exchanges: vec![exchange.clone()], queues: queues.clone(), bindings };
    declare(&*transport, topology).await;
    let (requester, _replies) = requester(&*transport).await;
    let keys = ["a.b", "a", "b", "a.x", "a.x.b", "a.x.y.b", "a.b.c", "c.d"];
    for key in keys {
        publish(&*requester, message(&exchange.name, key, key)).await;
    }
    let expected: [&[&str]; 10] = [
        &["a.b"],
        &["a.b", "a.x"],
        &["a.b"],
        &["a.b", "a", "a.x", "a.x.b", "a.x.y.b", "a.b.c"],
        &["a.b", "b", "a.x.b", "a.x.y.b"],
        &keys,
        &["a", "b"],
        &["a.b", "a.x.b", "a.x.y.b"],
        &["a.x.b"],
        &[],
    ];
    for ((queue, pattern), expected) in queues.iter().zip(patterns).zip(expected) {
        waiting(&*transport, &queue.name, expected.len() as u32).await;
        let (sink, deliveries) = Deliveries::new();
        let consumer = soon("a consumer", transport.consume(queue.name.clone(), 100, sink)).await.unwrap();
        let mut got = Vec::new();
        for delivery in deliveries.take(expected.len()).await {
            got.push(body(delivery.message()));
            delivery.ack();
        }
        assert_eq!(got, expected, "pattern {pattern:?}");
        soon("a cancel", consumer.cancel()).await;
    }
    transport.close().await;
}

pub(crate) async fn direct_and_fanout_exchanges_route(broker: &Broker) {
    let transport = broker.open().await;
    let (direct, fanout) = (broker.exchange(ExchangeKind::Direct), broker.exchange(ExchangeKind::Fanout));
    let (first, second) = (broker.queue(), broker.queue());
    let topology = Topology {
        bindings: vec![
            binding(&direct, &first, "a.*"),
            binding(&direct, &second, "b"),
            binding(&fanout, &first, ""),
            binding(&fanout, &second, "whatever"),
        ],
        exchanges: vec![direct.clone(), fanout.clone()],
        queues: vec![first.clone(), second.clone()],
    };
    declare(&*transport, topology).await;
    let (requester, replies) = requester(&*transport).await;
    publish(&*requester, message(&direct.name, "a.*", "literal")).await;
    publish(&*requester, message(&direct.name, "a.b", "nobody's")).await;
    publish(&*requester, message(&fanout.name, "any", "everybody's")).await;
    assert_eq!(replies.next_returned().await, "nobody's");
    waiting(&*transport, &first.name, 2).await;
    waiting(&*transport, &second.name, 1).await;
    transport.close().await;
}

pub(crate) async fn message_survives_the_trip(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, _replies) = requester(&*transport).await;
    let headers = Headers::from_iter([
        ("nameko.call_id_stack", json!(["a.b.1", "c.d.2"])),
        ("nameko.user_id", json!(17)),
        ("big", json!(5_000_000_000_i64)),
        ("negative", json!(-3)),
        ("ratio", json!(0.25)),
        ("flag", json!(true)),
        ("nothing", json!(null)),
        ("tree", json!({"ü": {"x": [1, {"y": "z"}]}})),
    ]);
    let sent = Message {
        exchange: "".into(),
        routing_key: queue.clone(),
        properties: Properties {
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            correlation_id: Some("correlation".into()),
            reply_to: None,
            expiration: Some(Duration::from_secs(50)),
            timestamp_ms: Some(1_800_000_000_123),
            kind: Some("method".into()),
            app_id: Some("stack".into()),
            cluster_id: Some("token".into()),
            message_id: Some("id".into()),
            priority: Some(3),
            user_id: None,
            persistent: true,
            headers: headers.clone(),
        },
        body: vec![0, 159, 146, 150].into(),
    };
    publish(&*requester, sent.clone()).await;
    let empty = Message { routing_key: queue.clone(), ..Message::default() };
    publish(&*requester, empty).await;
    let large =
        Message { body: vec![7; 300_000].into(), ..Message { routing_key: queue.clone(), ..Message::default() } };
    publish(&*requester, large.clone()).await;

    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 10, sink)).await.unwrap();
    let delivery = deliveries.next().await;
    let (got, expected) = (delivery.message(), &sent);
    assert_eq!((&*got.exchange, &got.routing_key), ("", &queue));
    assert_eq!(got.body, expected.body);
    let (p, e) = (&got.properties, &expected.properties);
    assert_eq!((&p.content_type, &p.content_encoding), (&e.content_type, &e.content_encoding));
    assert_eq!((&p.correlation_id, &p.message_id), (&e.correlation_id, &e.message_id));
    assert_eq!(
        (&p.kind, &p.app_id, &p.cluster_id, p.timestamp_ms),
        (&e.kind, &e.app_id, &e.cluster_id, e.timestamp_ms)
    );
    assert_eq!((p.expiration, p.persistent), (e.expiration, e.persistent));
    let reply_to = p.reply_to.as_deref().expect("the requester stamps it");
    assert!(reply_to.starts_with("rpc.reply-conformance-"), "{reply_to}");
    for (key, value) in headers.iter() {
        assert_eq!(p.headers.get(key), Some(value), "{key}");
    }
    assert_eq!(p.headers.iter().count(), headers.iter().count());
    assert!(!delivery.redelivered());
    delivery.ack();

    let delivery = deliveries.next().await;
    let p = &delivery.message().properties;
    assert!(delivery.message().body.is_empty() && p.headers.is_empty());
    assert!(p.content_type.is_none() && p.correlation_id.is_none() && p.expiration.is_none() && !p.persistent);
    delivery.ack();
    let delivery = deliveries.next().await;
    assert_eq!(delivery.message().body, large.body);
    delivery.ack();
    transport.close().await;
}

pub(crate) async fn queue_status_counts_and_knows_what_is_not_there(broker: &Broker) {
    let transport = broker.open().await;
    let nowhere = unique("conformance.nowhere").into();
    assert_eq!(soon("a status", transport.queue_status(&nowhere)).await.unwrap(), None);
    let queue = broker.declared(&*transport).await;
    let (requester, _replies) = requester(&*transport).await;
    for id in ["1", "2", "3"] {
        publish(&*requester, message("", &queue, id)).await;
    }
    waiting(&*transport, &queue, 3).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 2, sink)).await.unwrap();
    let held = deliveries.take(2).await;
    let status = soon("a status", transport.queue_status(&queue)).await.unwrap().unwrap();
    assert_eq!((status.messages, status.consumers), (1, 1));
    // And it is the same after a look at a queue that is not there.
    assert_eq!(soon("a status", transport.queue_status(&nowhere)).await.unwrap(), None);
    assert_eq!(soon("a status", transport.queue_status(&queue)).await.unwrap(), Some(status));
    drop(held);
    transport.close().await;
}

pub(crate) async fn unused_queue_expires(broker: &Broker) {
    const AFTER: Duration = Duration::from_millis(300);
    let transport = broker.open().await;
    let queue = broker.queue().expires(AFTER);
    let name = queue.name.clone();
    declare(&*transport, Topology { queues: vec![queue], ..Topology::default() }).await;
    let (sink, _deliveries) = Deliveries::new();
    let consumer = soon("a consumer", transport.consume(name.clone(), 1, sink)).await.unwrap();
    tokio::time::sleep(AFTER * 3).await;
    assert!(transport.queue_status(&name).await.unwrap().is_some(), "a consumed queue stays");
    soon("a cancel", consumer.cancel()).await;
    // Each look counts as a use on RabbitMQ, so looks are rarer than the queue's patience.
    let gone = || async {
        tokio::time::sleep(AFTER * 2).await;
        transport.queue_status(&name).await.unwrap().is_none().then_some(())
    };
    eventually(Duration::from_secs(10), "the queue is gone", gone).await;
    transport.close().await;
}

pub(crate) async fn idle_queue_can_be_removed_and_no_other(broker: &Broker) {
    is_removed_when_idle(broker, broker.queue()).await;
}

/// RabbitMQ 3.10 closes the connection of who asks it to remove one on a condition.
pub(crate) async fn idle_quorum_queue_can_be_removed_too(broker: &Broker) {
    is_removed_when_idle(broker, broker.queue().quorum()).await;
}

async fn is_removed_when_idle(broker: &Broker, declared: Queue) {
    let transport = broker.open().await;
    let queue = declared.name.clone();
    declare(&*transport, Topology { queues: vec![declared], ..Topology::default() }).await;
    let (requester, replies) = requester(&*transport).await;
    let removed = || async { soon("a removal", transport.remove_queue(&queue)).await.unwrap() };
    publish(&*requester, message("", &queue, "one")).await;
    waiting(&*transport, &queue, 1).await;
    assert!(!removed().await, "a message waits");
    let (sink, deliveries) = Deliveries::new();
    let consumer = soon("a consumer", transport.consume(queue.clone(), 1, sink)).await.unwrap();
    deliveries.next().await.ack();
    assert!(!removed().await, "it is consumed");
    soon("a cancel", consumer.cancel()).await;
    let gone = || async { removed().await.then_some(()) };
    eventually(Duration::from_secs(10), "the queue can be removed", gone).await;
    assert!(removed().await, "it is gone already");
    assert_eq!(transport.queue_status(&queue).await.unwrap().map(|status| status.messages), None);
    publish(&*requester, message("", &queue, "two")).await;
    assert_eq!(replies.next_returned().await, "two");
    transport.close().await;
}
