//! An event that ends the process of whoever works it, in a queue whose order must be kept.

use std::time::Duration;

use kinoko::{
    protocol::{Message, Properties},
    transport::{Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, body, eventually, soon};

use crate::{
    instance::{Instance, Ledger},
    node::Node,
    report,
};

const QUEUE: &str = "evt-faults_instance-step--faults_instance.on_step";

/// Of them 0 ends its process, and 100 fails.
const STEPS: [(u64, u64); 9] = [(3, 100), (0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (3, 6), (4, 7)];

async fn publish(transport: &dyn Transport, (key, id): (u64, u64)) {
    // As Nameko sends it: without an id of its own.
    let properties =
        Properties { content_type: Some("application/json".into()), persistent: true, ..Properties::default() };
    let event = Message {
        exchange: "faults_instance.events".into(),
        routing_key: "step".into(),
        properties,
        body: format!(r#"{{"key": {key}, "id": {id}}}"#).into(),
    };
    assert!(soon("an event", transport.publish(event)).await.unwrap().routed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn an_event_that_kills_its_process_is_found_among_those_that_wait_for_it() {
    let node = Node::get().await;
    let uri = node.uri();
    let transport = soon("a connection", connect(&uri, TransportOptions::default())).await.unwrap();
    let ledger = Ledger::new();
    let mut instance = Instance::start(&uri, &ledger).await;
    for step in STEPS {
        publish(&*transport, step).await;
    }
    let letters = format!("kinoko.dead-{QUEUE}").into();
    // The failing one is kept in its turn, which comes to no end as long as there are deaths.
    let deaths = instance.until_kept((&uri, &ledger), (&*transport, &letters, 2), 10).await;
    let (sink, deliveries) = Deliveries::new();
    let consumer = soon("a consumer", transport.consume(letters, 10, sink)).await.unwrap();
    for (letter, reason) in deliveries.take(2).await.into_iter().zip(["crashed", "attempts"]) {
        let kept = body(letter.message());
        assert_eq!(kept, if reason == "crashed" { r#"{"key": 0, "id": 0}"# } else { r#"{"key": 3, "id": 100}"# });
        assert_eq!(letter.message().properties.headers.get("kinoko.dead.reason"), Some(&reason.into()));
        letter.ack();
    }
    let all = || async { (ledger.read().len() == STEPS.len()).then_some(()) };
    eventually(Duration::from_secs(20), "the neighbours are handled", all).await;
    soon("a cancel", consumer.cancel()).await;
    assert!(deliveries.ready().await.is_none(), "nothing else is a dead letter");
    assert_eq!((deaths, ledger.read()[&0].times), (10, 10));
    // Each key in its order; what was handled just before a death may have been handled again.
    for key in 0..=4 {
        let of_key: Vec<_> = STEPS.iter().filter(|(other, _)| *other == key).map(|(_, id)| *id).collect();
        let mut begun: Vec<_> =
            ledger.entries().into_iter().map(|(id, _)| id).filter(|id| of_key.contains(id)).collect();
        begun.dedup();
        let first = |id: u64| begun.iter().position(|other| *other == id).unwrap();
        assert!(of_key.is_sorted_by_key(|id| first(*id)), "key {key}: {begun:?}");
    }
    let marks = format!("kinoko.alone-{QUEUE}").into();
    let unmarked = || async {
        // Those that are left come back with their consumer's end.
        transport.queue_status(&marks).await.unwrap().filter(|status| status.messages == 0)
    };
    instance.started().await;
    instance.signal("TERM");
    assert!(instance.ended().await.success(), "{}", instance.log());
    eventually(Duration::from_secs(5), "no mark is left", unmarked).await;
    report("an ordered event that aborts its process", &format!("{deaths} processes died, then it was kept"));
    soon("a close", transport.close()).await;
}
