use std::{collections::HashMap, sync::Arc, time::Duration};

use kinoko::protocol::{Message, Properties};
use kinoko_tests::{Deliveries, body, message, soon, unique};

use crate::broker::{Broker, publish, requester, waiting};

async fn reply_comes_through(broker: &Broker, exchange: &'static str) {
    let (client, server) = (broker.open().await, broker.open().await);
    let queue = broker.declared(&*server).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", server.consume(queue.clone(), 10, sink)).await.unwrap();
    let (requester, replies) = requester(&*client).await;
    publish(&*requester, message("", &queue, "request")).await;
    let delivery = deliveries.next().await;
    let reply = answer(delivery.message(), exchange);
    soon("a reply's publish", delivery.reply(reply)).await.unwrap();
    let reply = replies.next().await;
    assert_eq!(reply.properties.correlation_id.as_deref(), Some("request"));
    assert_eq!(body(&reply), "re: request");
    assert_eq!(replies.ready().await.map(|reply| body(&reply)), None);
    client.close().await;
    server.close().await;
}

fn answer(request: &Message, exchange: &'static str) -> Message {
    Message {
        exchange: exchange.into(),
        routing_key: request.properties.reply_to.clone().expect("a request says where its reply goes"),
        properties: Properties { correlation_id: request.properties.correlation_id.clone(), ..Properties::default() },
        body: format!("re: {}", body(request)).into(),
    }
}

pub(crate) async fn reply_comes_through_the_default_exchange(broker: &Broker) {
    reply_comes_through(broker, "").await;
}

pub(crate) async fn reply_comes_through_the_rpc_exchange(broker: &Broker) {
    reply_comes_through(broker, "nameko-rpc").await;
}

pub(crate) async fn replies_reach_their_own_requester(broker: &Broker) {
    const EACH: usize = 50;
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 16, sink)).await.unwrap();
    let (first, first_replies) = requester(&*transport).await;
    let (second, second_replies) = requester(&*transport).await;
    let server = tokio::spawn(async move {
        for _ in 0..EACH * 2 {
            let delivery = deliveries.next().await;
            let reply = answer(delivery.message(), "");
            delivery.reply(reply).await.unwrap();
        }
    });
    for number in 0..EACH {
        publish(&*first, message("", &queue, &format!("first {number}"))).await;
        publish(&*second, message("", &queue, &format!("second {number}"))).await;
    }
    for _ in 0..EACH {
        assert!(body(&first_replies.next().await).starts_with("re: first"));
        assert!(body(&second_replies.next().await).starts_with("re: second"));
    }
    soon("the server", server).await.unwrap();
    transport.close().await;
}

pub(crate) async fn unroutable_requests_come_back_once_each(broker: &Broker) {
    const TASKS: usize = 64;
    const EACH: usize = 50;
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let nowhere = unique("conformance.nowhere");
    let (requester, replies) = requester(&*transport).await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (requester, queue, nowhere) = (Arc::clone(&requester), queue.clone(), nowhere.clone());
        tasks.spawn(async move {
            for number in 0..EACH {
                let (key, verdict) = if number % 2 == 0 { (&*nowhere, "lost") } else { (&*queue, "there") };
                publish(&*requester, message("", key, &format!("{verdict}-{task}-{number}"))).await;
            }
        });
    }
    soon("the callers", async { while tasks.join_next().await.transpose().unwrap().is_some() {} }).await;
    let mut returned: HashMap<String, usize> = HashMap::new();
    for _ in 0..TASKS * EACH / 2 {
        *returned.entry(replies.next_returned().await).or_default() += 1;
    }
    waiting(&*transport, &queue, (TASKS * EACH / 2) as u32).await;
    // One more, which comes after all that was returned before it.
    publish(&*requester, message("", &nowhere, "last")).await;
    assert_eq!(replies.next_returned().await, "last");
    let wrong: Vec<_> = returned.iter().filter(|(id, count)| **count != 1 || !id.starts_with("lost-")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(returned.len(), TASKS * EACH / 2);
    transport.close().await;
}

pub(crate) async fn expired_message_is_not_delivered(broker: &Broker) {
    let transport = broker.open().await;
    let queue = broker.declared(&*transport).await;
    let (requester, _replies) = requester(&*transport).await;
    let dying = |id: &str, after| {
        let mut message = message("", &queue, id);
        message.properties.expiration = Some(after);
        message
    };
    publish(&*requester, dying("at once", Duration::ZERO)).await;
    publish(&*requester, dying("early", Duration::from_micros(300))).await;
    publish(&*requester, dying("soon", Duration::from_millis(50))).await;
    publish(&*requester, dying("late", Duration::from_secs(3600))).await;
    waiting(&*transport, &queue, 1).await;
    let (sink, deliveries) = Deliveries::new();
    let _consumer = soon("a consumer", transport.consume(queue.clone(), 10, sink)).await.unwrap();
    let delivery = deliveries.next().await;
    assert_eq!(body(delivery.message()), "late");
    delivery.ack();
    // A consumer that waits is fast enough for any positive rest.
    publish(&*requester, dying("in time", Duration::from_secs(5))).await;
    let delivery = deliveries.next().await;
    assert_eq!(body(delivery.message()), "in time");
    delivery.ack();
    transport.close().await;
}
