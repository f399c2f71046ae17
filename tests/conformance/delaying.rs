//! Messages that the broker keeps for a while.

use std::{sync::Arc, time::Duration};

use kinoko::{
    ErrorKind,
    protocol::{Headers, Message, Name, Properties},
    transport::{ExchangeKind, MAX_DELAY, Topology, Transport},
};
use kinoko_tests::{Deliveries, body, message, soon, unique};
use serde_json::json;
use tokio::time::Instant;

use crate::broker::{Broker, binding, declare, waiting};

/// A message goes through a dozen queues, on a machine that is busy with something else.
const SLACK: Duration = Duration::from_secs(15);

async fn later(transport: &dyn Transport, message: Message, delay: Duration) {
    soon("a confirm", transport.publish_later(message, delay)).await.unwrap();
}

async fn consumed(broker: &Broker, transport: &dyn Transport) -> (Name, Deliveries) {
    let queue = broker.declared(transport).await;
    let (sink, deliveries) = Deliveries::new();
    soon("a consumer", transport.consume(queue.clone(), 1000, sink)).await.unwrap();
    (queue, deliveries)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) async fn delayed_message_comes_not_before_and_soon_after(broker: &Broker) {
    let transport = broker.open().await;
    let (queue, deliveries) = consumed(broker, &*transport).await;
    for delay in [ms(0), ms(1), Duration::from_micros(1500), ms(64), ms(255), ms(300)] {
        let published = Instant::now();
        later(&*transport, message("", &queue, "1"), delay).await;
        let delivery = deliveries.next().await;
        let waited = published.elapsed();
        assert!(waited >= delay && waited < delay + SLACK, "{waited:?} for {delay:?}");
        delivery.ack();
    }
    assert!(deliveries.ready().await.is_none());
    transport.close().await;
}

pub(crate) async fn delayed_message_is_what_it_was(broker: &Broker) {
    let transport = broker.open().await;
    let (queue, exchange) = (broker.queue(), broker.exchange(ExchangeKind::Topic));
    let topology = Topology {
        bindings: vec![binding(&exchange, &queue, "order.*")],
        exchanges: vec![exchange.clone()],
        queues: vec![queue.clone()],
    };
    declare(&*transport, topology).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.name.clone(), 10, sink)).await.unwrap();
    let headers = json!({
        "nameko.call_id_stack": ["a.b.1"], "kinoko.attempt": 2, "other": {"deep": [1, null, true]}, "CC": ["a.key"],
    });
    let sent = Message {
        exchange: exchange.name.clone(),
        routing_key: "order.placed".into(),
        properties: Properties {
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            correlation_id: Some("correlation".into()),
            reply_to: Some("reply".into()),
            expiration: Some(ms(50)),
            timestamp_ms: Some(1_800_000_000_123),
            kind: Some("type".into()),
            app_id: Some("app".into()),
            cluster_id: Some("token".into()),
            message_id: Some("id".into()),
            priority: Some(3),
            user_id: None,
            persistent: true,
            headers: Headers::from_iter(headers.as_object().unwrap().clone()),
        },
        body: vec![0, 159, 146, 150].into(),
    };
    let by_default = Message { exchange: "".into(), routing_key: queue.name.clone(), ..sent.clone() };
    for sent in [sent, by_default] {
        let mut next = sent.clone();
        // Also a message that waited before, as a retry of a retry does.
        for delay in [ms(100), ms(70)] {
            later(&*transport, next, delay).await;
            let delivery = deliveries.next().await;
            let got = delivery.message();
            assert_eq!((&got.exchange, &got.routing_key, &got.body), (&sent.exchange, &sent.routing_key, &sent.body));
            let sorted = |message: &Message| {
                let mut headers: Vec<_> =
                    message.properties.headers.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                headers.sort_by(|a, b| a.0.cmp(&b.0));
                headers
            };
            assert_eq!(sorted(got), sorted(&sent));
            let without_headers = |message: &Message| {
                format!("{:?}", Properties { headers: Headers::default(), ..message.properties.clone() })
            };
            assert_eq!(without_headers(got), without_headers(&sent));
            assert_eq!(got.properties.cluster_id, sent.properties.cluster_id);
            assert!(!delivery.redelivered());
            next = Message::clone(got);
            delivery.ack();
        }
    }
    transport.close().await;
}

pub(crate) async fn equal_delays_keep_their_order(broker: &Broker) {
    let transport = broker.open().await;
    let (queue, deliveries) = consumed(broker, &*transport).await;
    for number in 0..50 {
        later(&*transport, message("", &queue, &number.to_string()), ms(200)).await;
    }
    for number in 0..50 {
        let delivery = deliveries.next().await;
        assert_eq!(body(delivery.message()), number.to_string());
        delivery.ack();
    }
    transport.close().await;
}

pub(crate) async fn many_delays_run_at_once(broker: &Broker) {
    const COUNT: usize = 300;
    let transport = broker.open().await;
    let (queue, deliveries) = consumed(broker, &*transport).await;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..COUNT {
        let (transport, queue) = (Arc::clone(&transport), queue.clone());
        tasks.spawn(async move {
            let (published, delay) = (began.elapsed(), ms(number as u64 * 37 % 1000));
            later(&*transport, message("", &queue, &number.to_string()), delay).await;
            (number, published + delay)
        });
    }
    let mut due = vec![Duration::ZERO; COUNT];
    for (number, at) in tasks.join_all().await {
        due[number] = at;
    }
    let mut seen = vec![0; COUNT];
    for _ in 0..COUNT {
        let delivery = deliveries.next().await;
        let number: usize = body(delivery.message()).parse().unwrap();
        seen[number] += 1;
        assert!(began.elapsed() >= due[number], "{number} comes early");
        delivery.ack();
    }
    assert!(seen.iter().all(|times| *times == 1), "{seen:?}");
    assert!(began.elapsed() < ms(1000) + SLACK, "{:?}", began.elapsed());
    assert!(deliveries.ready().await.is_none());
    transport.close().await;
}

pub(crate) async fn delay_outlives_who_asked_for_it(broker: &Broker) {
    let (here, there) = (broker.open().await, broker.open().await);
    let (queue, deliveries) = consumed(broker, &*there).await;
    let published = Instant::now();
    later(&*here, message("", &queue, "1"), ms(500)).await;
    soon("a close", here.close()).await;
    assert!(deliveries.ready().await.is_none());
    deliveries.next().await.ack();
    assert!(published.elapsed() >= ms(500));
    there.close().await;
}

/// RabbitMQ keeps what it cannot give away, and tries no more than 32 at a time.
pub(crate) async fn what_leads_nowhere_is_lost_and_holds_up_nothing(broker: &Broker) {
    let transport = broker.open().await;
    let (queue, deliveries) = consumed(broker, &*transport).await;
    let exchange = broker.exchange(ExchangeKind::Topic);
    declare(&*transport, Topology { exchanges: vec![exchange.clone()], ..Topology::default() }).await;
    let nowhere = unique("conformance.nowhere");
    for number in 0..40 {
        let id = number.to_string();
        later(&*transport, message("", &nowhere, &id), ms(100)).await;
        later(&*transport, message(&exchange.name, "nobody", &id), ms(100)).await;
    }
    let published = Instant::now();
    later(&*transport, message("", &queue, "1"), ms(100)).await;
    deliveries.next().await.ack();
    assert!(published.elapsed() < SLACK);
    // A queue of that name does not find them.
    let late = kinoko::transport::Queue { name: nowhere.into(), ..broker.queue() };
    declare(&*transport, Topology { queues: vec![late.clone()], ..Topology::default() }).await;
    waiting(&*transport, &late.name, 0).await;
    transport.remove_queue(&late.name).await.unwrap();
    transport.close().await;
}

pub(crate) async fn delay_that_cannot_be_kept_is_refused(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let asked = transport.publish_later(message("", &queue, "1"), MAX_DELAY + ms(1));
    let error = soon("a verdict", asked).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("25 days is too long"), "{error}");
    transport.close().await;
    let error = soon("a verdict", transport.publish_later(message("", &queue, "1"), ms(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}
