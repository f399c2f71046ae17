use std::time::Duration;

use kinoko::transport::ConnectionState;
use kinoko_tests::{PrivateBroker, body, message, soon};
use tokio::time::timeout;

use crate::support::{Echo, reach};

const LONGER_THAN_THE_PROBES: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn memory_alarm_holds_publishes_back_and_nothing_else() {
    let broker = PrivateBroker::start_new();
    let echo = Echo::start(&broker.uri()).await;
    let first = echo.call("1").await;
    echo.request("before").await;
    let before = echo.deliveries.next().await;
    broker.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    // RabbitMQ tells a connection with its next publish, which it holds back itself.
    echo.request("tells").await;
    let state = reach(&*echo.transport, |state| matches!(state, ConnectionState::Blocked(_))).await;
    assert_eq!(state, ConnectionState::Blocked("low on memory".to_owned()));

    let withdrawn = echo.requester.request(message("", &echo.queue, "withdrawn"));
    assert!(timeout(Duration::from_millis(100), withdrawn).await.is_err(), "it waits for the end of the alarm");
    let patient = tokio::spawn(echo.requester.request(message("", &echo.queue, "patient")));
    // Settling is no publishing.
    before.requeue();
    let again = echo.deliveries.next().await;
    assert_eq!((body(again.message()), again.redelivered()), ("before".to_owned(), true));
    again.ack();
    // An alarm may last, which is no loss.
    let losses = timeout(LONGER_THAN_THE_PROBES, echo.lost(1)).await;
    assert!(losses.is_err(), "an alarm was taken for a loss");
    assert!(!patient.is_finished());

    broker.ctl(&["set_vm_memory_high_watermark", "0.4"]);
    reach(&*echo.transport, |state| *state == ConnectionState::Connected).await;
    soon("the patient request", patient).await.unwrap().unwrap();
    for expected in ["tells", "patient"] {
        let delivery = echo.deliveries.next().await;
        assert_eq!(body(delivery.message()), expected);
        delivery.ack();
    }
    assert_eq!(first, echo.call("2").await, "the link is the same");
    assert_eq!(echo.losses(), (0, 0));
    soon("a close", echo.transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn close_does_not_wait_for_the_end_of_an_alarm() {
    let broker = PrivateBroker::start_new();
    let echo = Echo::start(&broker.uri()).await;
    echo.call("1").await;
    broker.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    echo.request("tells").await;
    reach(&*echo.transport, |state| matches!(state, ConnectionState::Blocked(_))).await;
    soon("a close", echo.transport.close()).await;
}
