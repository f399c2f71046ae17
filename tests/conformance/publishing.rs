use std::{sync::Arc, time::Duration};

use kinoko::{
    Error, ErrorKind,
    protocol::Message,
    transport::{ExchangeKind, Topology, Transport},
};
use kinoko_tests::{Deliveries, body, message, soon, unique};

use crate::broker::{Broker, binding, declare, waiting};

async fn routed(transport: &dyn Transport, message: Message) -> bool {
    soon("a confirm", transport.publish(message)).await.unwrap().routed
}

pub(crate) async fn confirmed_message_is_in_its_queue(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    for number in 0..10 {
        let mut message = message("", &queue, &number.to_string());
        message.properties.persistent = true;
        assert!(routed(&*transport, message).await);
        // Not soon: the confirm says that it is there.
        let status = soon("a status", transport.queue_status(&queue)).await.unwrap().unwrap();
        assert_eq!(status.messages, number + 1);
    }
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 10, sink)).await.unwrap();
    for number in 0..10 {
        let delivery = deliveries.next().await;
        let properties = &delivery.message().properties;
        assert_eq!((body(delivery.message()), properties.persistent), (number.to_string(), true));
        assert!(properties.message_id.as_deref().is_some_and(|id| !id.is_empty()), "each publish has an id");
        delivery.ack();
    }
    transport.close().await;
}

pub(crate) async fn message_that_leads_nowhere_is_told(broker: &Broker) {
    let transport = broker.open().await;
    let exchange = broker.exchange(ExchangeKind::Topic);
    let queue = broker.queue();
    let topology = Topology {
        bindings: vec![binding(&exchange, &queue, "a.*")],
        exchanges: vec![exchange.clone()],
        queues: vec![queue.clone()],
    };
    declare(&*transport, topology).await;
    assert!(!routed(&*transport, message("", &unique("conformance.nowhere"), "1")).await);
    assert!(!routed(&*transport, message(&exchange.name, "b.c", "2")).await);
    assert!(routed(&*transport, message(&exchange.name, "a.b", "3")).await);
    waiting(&*transport, &queue.name, 1).await;
    transport.close().await;
}

pub(crate) async fn exchange_that_does_not_exist_is_told_at_once_and_harms_nobody(broker: &Broker) {
    let transport = broker.open().await;
    let (queue, exchange) = (broker.declared(&*transport).await, broker.exchange(ExchangeKind::Fanout));
    let refused = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::NoExchange, "{error:?}");
        let text = format!("there is no exchange `{}`: declare it first, or correct its name", exchange.name);
        assert_eq!(error.to_string(), text);
    };
    refused(soon("a verdict", transport.publish(message(&exchange.name, "key", "1"))).await.unwrap_err());
    let later = transport.publish_later(message(&exchange.name, "key", "1"), Duration::from_secs(1));
    refused(soon("a verdict", later).await.unwrap_err());
    // Over RabbitMQ such a publish ends the channel, and with it those on their way: once.
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let place = if number % 2 == 0 { ("", &*queue) } else { (&*exchange.name, "key") };
        let (transport, message) = (Arc::clone(&transport), message(place.0, place.1, &number.to_string()));
        tasks.spawn(async move { (number, soon("a verdict", transport.publish(message)).await) });
    }
    for (number, verdict) in tasks.join_all().await {
        match verdict {
            Ok(published) => assert!(published.routed && number % 2 == 0, "{number}"),
            Err(error) => {
                assert!(number % 2 == 1, "{number}: {error}");
                refused(error);
            }
        }
    }
    let bound = broker.queue();
    let topology = Topology {
        bindings: vec![binding(&exchange, &bound, "")],
        exchanges: vec![exchange.clone()],
        queues: vec![bound],
    };
    declare(&*broker.open().await, topology).await;
    assert!(routed(&*transport, message(&exchange.name, "key", "2")).await, "somebody declared it");
    transport.close().await;
}

/// RELIABILITY, findings 1 and 2: verdicts that reach the wrong publisher, with 64 of them and a fifth of the messages leading nowhere.
pub(crate) async fn no_verdict_reaches_the_wrong_publisher(broker: &Broker) {
    const TASKS: usize = 64;
    const EACH: usize = 100;
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let nowhere = unique("conformance.nowhere");
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (transport, queue, nowhere) = (Arc::clone(&transport), queue.clone(), nowhere.clone());
        tasks.spawn(async move {
            let mut wrong = 0;
            for number in 0..EACH {
                let exists = (number + task) % 5 > 0;
                let key = if exists { &*queue } else { &*nowhere };
                wrong +=
                    usize::from(routed(&*transport, message("", key, &format!("{task}-{number}"))).await != exists);
            }
            wrong
        });
    }
    let mut wrong = 0;
    while let Some(result) = soon("the publishers", tasks.join_next()).await {
        wrong += result.unwrap();
    }
    assert_eq!(wrong, 0, "of {} verdicts", TASKS * EACH);
    waiting(&*transport, &queue, (TASKS * EACH * 4 / 5) as u32).await;
    transport.close().await;
}

/// What was handed to the broker before the close has its verdict, and the verdict is true.
pub(crate) async fn close_waits_for_confirms(broker: &Broker) {
    const COUNT: usize = 200;
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..COUNT {
        let (transport, message) = (Arc::clone(&transport), message("", &queue, &number.to_string()));
        tasks.spawn(async move { transport.publish(message).await });
    }
    let mut verdicts = vec![soon("a confirm", tasks.join_next()).await.unwrap().unwrap()];
    soon("a close", transport.close()).await;
    while let Some(verdict) = soon("a verdict", tasks.join_next()).await {
        verdicts.push(verdict.unwrap());
    }
    let confirmed = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
    let closed =
        verdicts.iter().filter(|verdict| verdict.as_ref().is_err_and(|e| e.kind() == ErrorKind::Closed)).count();
    assert_eq!(confirmed + closed, COUNT, "{verdicts:?}");
    let other = broker.open().await;
    waiting(&*other, &queue, confirmed as u32).await;
    other.close().await;
}
