//! The broker dies, restarts, freezes, and closes what it has opened.

use std::time::Duration;

use kinoko::CallError;
use kinoko_tests::Raw;
use tokio::{task::block_in_place, time::sleep};

use crate::{
    in_full,
    load::EchoClient,
    node::Node,
    trial::{Gap, Trial},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn kill() {
    let mut node = Node::get().await;
    let trial = Trial::start("broker killed with -9, and started again", &node, &node.uri()).await;
    block_in_place(|| node.kill9());
    block_in_place(|| node.start());
    trial.finish(&node, Gap::Interrupted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn restart() {
    let mut node = Node::get().await;
    let trial = Trial::start("broker stopped with SIGTERM, and started again", &node, &node.uri()).await;
    block_in_place(|| node.stop());
    block_in_place(|| node.start());
    trial.finish(&node, Gap::Interrupted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn freeze() {
    let node = Node::get().await;
    let trial = Trial::start("broker frozen by SIGSTOP", &node, &node.uri()).await;
    node.sigstop();
    sleep(in_full(Duration::from_secs(15), Duration::from_secs(5))).await;
    node.sigcont();
    trial.finish(&node, Gap::Interrupted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn connections_closed() {
    let node = Node::get().await;
    let trial = Trial::start("every connection closed by the broker", &node, &node.uri()).await;
    block_in_place(|| node.ctl(&["close_all_connections", "the test wants it"]));
    trial.finish(&node, Gap::Interrupted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn queues_deleted() {
    let node = Node::get().await;
    let trial = Trial::start("both request queues deleted", &node, &node.uri()).await;
    {
        let raw = Raw::connect(&node.uri()).await;
        raw.delete_queue("kinoko.rpc-faults_echo").await;
        raw.delete_queue("rpc-faults_echo").await;
    }
    trial.finish(&node, Gap::Interrupted).await;
}

/// RabbitMQ closes the channel of a consumer that has not acknowledged for too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn channel_closed() {
    let node = Node::get().await;
    let set = |timeout: &str, tick: &str| {
        let code = format!(
            "application:set_env(rabbit, consumer_timeout, {timeout}), \
             application:set_env(rabbit, channel_tick_interval, {tick})."
        );
        block_in_place(|| node.ctl(&["eval", &code]));
    };
    set("1000", "500");
    let trial = Trial::start("a consumer's channel closed by the broker", &node, &node.uri()).await;
    let slow = trial.client.service::<EchoClient>().echo(1, 60_000).timeout(Duration::from_secs(4));
    assert!(matches!(slow.await, Err(CallError::Timeout(_))), "it is too slow for this broker, each time anew");
    set("1800000", "60000");
    trial.finish(&node, Gap::Interrupted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn queues_with_other_arguments() {
    const QUEUES: [&str; 2] = ["kinoko.rpc-faults_echo", "rpc-faults_echo"];
    let node = Node::get().await;
    {
        let raw = Raw::connect(&node.uri()).await;
        for queue in QUEUES {
            raw.delete_queue(queue).await;
            raw.declare_queue(queue, &[("x-max-length", 100_000.into())]).await;
        }
    }
    let trial =
        Trial::start("request queues that exist with other arguments, then a reconnect", &node, &node.uri()).await;
    block_in_place(|| node.ctl(&["close_all_connections", "the test wants it"]));
    trial.finish(&node, Gap::Interrupted).await;
    let raw = Raw::connect(&node.uri()).await;
    for queue in QUEUES {
        raw.delete_queue(queue).await;
    }
}
