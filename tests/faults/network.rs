//! The network swallows what is sent, one way or both; or the peer never says a word.

use std::time::{Duration, Instant};

use kinoko::{CallError, Client, prelude::*};
use kinoko_tests::{Direction, Proxy, soon};
use tokio::time::sleep;

use crate::{
    in_full,
    load::{Echo, EchoClient},
    node::Node,
    report,
    trial::{Gap, TOLERANCE, Trial},
};

async fn black_hole(fault: &'static str, directions: &[Direction]) {
    let node = Node::get().await;
    let proxy = Proxy::to(&node.uri());
    let trial = Trial::start(fault, &node, &proxy.uri(&node.uri())).await;
    for direction in directions {
        proxy.hold(*direction);
    }
    sleep(in_full(Duration::from_secs(15), Duration::from_secs(5))).await;
    proxy.release();
    trial.finish(&node, Gap::Interrupted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn black_hole_towards_the_broker() {
    black_hole("nothing reaches the broker", &[Direction::ToBroker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn black_hole_towards_the_clients() {
    black_hole("nothing comes from the broker", &[Direction::ToClients]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn slow_network() {
    let node = Node::get().await;
    let proxy = Proxy::to(&node.uri());
    let trial = Trial::start("each packet delayed by 100 ms", &node, &proxy.uri(&node.uri())).await;
    proxy.delay(Duration::from_millis(100));
    sleep(in_full(Duration::from_secs(15), Duration::from_secs(5))).await;
    proxy.delay(Duration::ZERO);
    trial.finish(&node, Gap::None).await;
}

/// A peer that accepts the connection and never says a word: lapin alone would wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn silent_peer_at_connect() {
    const DEADLINE: Duration = Duration::from_secs(1);
    let node = Node::get().await;
    let proxy = Proxy::to(&node.uri());
    let uri = proxy.uri(&node.uri());
    proxy.hold(Direction::ToBroker);
    proxy.hold(Direction::ToClients);
    let began = Instant::now();
    let client = soon("a client of a silent peer", Client::connect(&uri)).await.unwrap();
    let connected = began.elapsed();
    let starting = tokio::spawn(App::new().broker(&uri).service::<Echo>().start());
    let echo = client.service::<EchoClient>();
    let mut overrun = Duration::ZERO;
    let waiting = Instant::now();
    while waiting.elapsed() < in_full(Duration::from_secs(15), Duration::from_secs(3)) {
        let called = Instant::now();
        let error = echo.echo(1, 0).timeout(DEADLINE).await.unwrap_err();
        overrun = overrun.max(called.elapsed().saturating_sub(DEADLINE));
        assert!(matches!(error, CallError::Unavailable(_)) && !error.may_have_run(), "{error:?}");
    }
    assert!(!starting.is_finished(), "a service waits for its broker");
    proxy.release();
    let over = Instant::now();
    let server = soon("the service starts", starting).await.unwrap().unwrap();
    assert_eq!(echo.echo(2, 0).timeout(Duration::from_secs(10)).await.unwrap(), 2);
    report(
        "a peer that is silent from the start",
        &format!(
            "a client is there after {connected:.1?}; calls ended at most {overrun:.0?} after their deadline, not sent; \
             a waiting service started and answered {:.1?} after the peer spoke",
            over.elapsed()
        ),
    );
    assert!(overrun <= TOLERANCE, "{overrun:?}");
    assert!(connected < Duration::from_secs(5), "{connected:?}");
    assert!(server.readiness().is_ready());
    client.close().await;
    server.stop().await.unwrap();
}
