//! The broker takes no publishes: its memory or its disk is full.

use std::time::Duration;

use kinoko::{
    CallError, Client,
    protocol::{Message, Properties},
    transport::{ConnectionState, Transport},
};
use kinoko_tests::soon;
use tokio::{task::block_in_place, time::sleep};

use crate::{
    in_full,
    node::Node,
    report,
    trial::{Gap, Trial},
};

fn raise(node: &Node) {
    block_in_place(|| node.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]));
}

fn lift(node: &Node) {
    block_in_place(|| node.ctl(&["set_vm_memory_high_watermark", "0.4"]));
}

async fn waiting(transport: &dyn Transport, queue: &str) -> u32 {
    soon("a status", transport.queue_status(&queue.to_owned().into())).await.unwrap().unwrap().messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn memory_alarm() {
    const QUEUE: &str = "rpc-faults_backlog";
    let node = Node::get().await;
    let trial = Trial::start("memory alarm", &node, &node.uri()).await;
    let transport = trial.publishers.transport.clone();
    let lasts = in_full(Duration::from_secs(15), Duration::from_secs(5));
    // Two workers of 20 ms: more than they can do before the alarm is over.
    for _ in 0..2 * lasts.as_millis() / 10 {
        let step = Message {
            exchange: "nameko-rpc".into(),
            routing_key: "faults_backlog.step".into(),
            properties: Properties { content_type: Some("application/json".into()), ..Properties::default() },
            body: r#"{"args": [], "kwargs": {}}"#.into(),
        };
        assert!(soon("a confirm", transport.publish(step)).await.unwrap().routed);
    }
    raise(&node);
    let mut state = transport.state();
    soon("the alarm", state.wait_for(|state| matches!(state, ConnectionState::Blocked(_)))).await.unwrap();
    let before = waiting(&*transport, QUEUE).await;
    sleep(lasts).await;
    let after = waiting(&*transport, QUEUE).await;
    lift(&node);
    assert!(after + 50 < before, "consuming goes on during the alarm: {before} waited, then {after}");
    report("memory alarm", &format!("{} requests were taken from their queue during the alarm", before - after));
    trial.finish(&node, Gap::Blocked).await;
}

/// The alarm comes in the middle of a request: a part of it is in the socket, and lapin sends the rest when it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn request_that_an_alarm_interrupts_may_have_run() {
    let node = Node::get().await;
    let trial = Trial::start("memory alarm in the middle of a request", &node, &node.uri()).await;
    // A connection hears of the alarm with its first publish.
    let client = Client::connect(&node.uri()).await.unwrap();
    raise(&node);
    let call = client.proxy().call("faults_echo", "swallow").arg("x".repeat(12 << 20));
    let error = call.timeout(Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout(_)) && error.may_have_run(), "{error:?}");
    // One that comes later was not sent, for sure.
    let error = client.proxy().call("faults_echo", "swallow").arg("x").timeout(Duration::from_millis(300)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, CallError::Unavailable(_)) && !error.may_have_run(), "{error:?}");
    lift(&node);
    client.close().await;
    trial.finish(&node, Gap::Blocked).await;
}
