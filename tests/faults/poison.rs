//! A request, and an event, that end the process of whoever works them.

use std::time::Duration;

use kinoko::{
    protocol::{Message, Properties},
    transport::{QueueKind, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, Raw, Replies, body, eventually, soon};
use tokio::task::block_in_place;

use crate::{
    instance::{Instance, Ledger},
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
    let mut instance = Instance::start(&uri, &ledger).await;
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
        instance = Instance::spawn(&uri, &ledger);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn an_event_that_kills_its_process_is_kept_and_takes_no_neighbour_along() {
    const QUEUE: &str = "evt-faults_instance-work--faults_instance.on_work";
    let node = Node::get().await;
    let uri = node.uri();
    let transport = soon("a connection", connect(&uri, TransportOptions::default())).await.unwrap();
    // In a queue whose deliveries the broker counts, and in one of a Python instance, where it does not.
    for kind in [QueueKind::Quorum, QueueKind::Classic] {
        if kind == QueueKind::Classic {
            let python = soon("a connection", Raw::connect(&uri)).await;
            soon("a delete", python.delete_queue(QUEUE)).await;
            soon("a queue", python.declare_queue(QUEUE, &[])).await;
        }
        let ledger = Ledger::new();
        let mut instance = Instance::start(&uri, &ledger).await;
        for id in 0..=5_u32 {
            let event = Message {
                exchange: "faults_instance.events".into(),
                routing_key: "work".into(),
                properties: Properties {
                    content_type: Some("application/json".into()),
                    persistent: true,
                    ..Properties::default()
                },
                body: id.to_string().into(),
            };
            assert!(soon("an event", transport.publish(event)).await.unwrap().routed);
        }
        let letters = format!("kinoko.dead-{QUEUE}").into();
        let deaths = instance.until_kept((&uri, &ledger), (&*transport, &letters, 1), 11).await;
        let (sink, deliveries) = Deliveries::new();
        let consumer = soon("a consumer", transport.consume(letters, 10, sink)).await.unwrap();
        let letter = deliveries.next().await;
        assert_eq!(letter.message().body, "0");
        assert_eq!(letter.message().properties.headers.get("kinoko.dead.reason"), Some(&"crashed".into()));
        letter.ack();
        let all = || async { (ledger.read().len() == 6).then_some(()) };
        eventually(Duration::from_secs(20), "the neighbours are handled", all).await;
        soon("a cancel", consumer.cancel()).await;
        assert!(deliveries.ready().await.is_none(), "only the one that kills is a dead letter");
        let begun = ledger.read();
        assert_eq!((deaths, begun[&0].times), (11, 11));
        // The acknowledgement of one that was handled just before may have died with the process.
        assert!((1..=5).all(|id| begun[&id].times <= 3), "{begun:?}");
        let marks = || async {
            let queues = block_in_place(|| node.ctl(&["-q", "list_queues", "--no-table-headers", "name"]));
            (!queues.contains("kinoko.begun")).then_some(())
        };
        eventually(Duration::from_secs(20), "no mark is left", marks).await;
        report("an event that aborts its process", &format!("{deaths} processes died, then it was kept ({kind:?})"));
        instance.started().await;
        instance.signal("TERM");
        assert!(instance.ended().await.success(), "{}", instance.log());
    }
    soon("a close", transport.close()).await;
}
