//! A request that ends the process of whoever works it.

use std::time::Duration;

use kinoko::{
    protocol::{Message, Properties},
    transport::{TransportOptions, connect},
};
use kinoko_tests::{Replies, body, eventually, soon};

use crate::{
    instance::{INSTANCE, Instance, Ledger},
    node::Node,
    report,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn a_request_that_kills_its_process_kills_three_and_is_answered() {
    let node = Node::get().await;
    let uri = node.uri();
    let transport = soon("a connection", connect(&uri, TransportOptions::default())).await.unwrap();
    let (sink, replies) = Replies::new();
    let requester = soon("a requester", transport.open_requester("poison", sink)).await.unwrap();
    let ledger = Ledger::new();
    let mut instance = Instance::start(INSTANCE, &uri, &ledger).await;
    // As a Python caller sends it: without a deadline.
    let request = Message {
        exchange: "nameko-rpc".into(),
        routing_key: "faults_instance.abort".into(),
        properties: Properties {
            content_type: Some("application/json".into()),
            correlation_id: Some("poison".into()),
            ..Properties::default()
        },
        body: r#"{"args": [], "kwargs": {}}"#.into(),
    };
    soon("a request", requester.request(request)).await.unwrap();
    let mut deaths = 0;
    let reply = loop {
        let reply = tokio::select! {
            reply = replies.next() => Some(reply),
            status = instance.ended() => {
                assert!(!status.success());
                None
            }
        };
        match reply {
            Some(reply) => break reply,
            None => deaths += 1,
        }
        assert!(deaths <= 3, "it kills for ever");
        instance = Instance::spawn(INSTANCE, &uri, &ledger);
    };
    let reply: serde_json::Value = serde_json::from_str(&body(&reply)).unwrap();
    assert_eq!(reply["error"]["code"], "TOO_MANY_ATTEMPTS", "{reply}");
    assert_eq!((deaths, ledger.read()[&0].times), (3, 3));
    let queue = "rpc-faults_instance".into();
    let empty = || async { transport.queue_status(&queue).await.unwrap().filter(|status| status.messages == 0) };
    eventually(Duration::from_secs(5), "the queue is empty", empty).await;
    report(
        "a request that aborts its process",
        &format!("{deaths} processes died, then the caller had {}", reply["error"]["code"]),
    );
    instance.started().await;
    instance.signal("TERM");
    assert!(instance.ended().await.success(), "{}", instance.log());
    soon("a close", transport.close()).await;
}
