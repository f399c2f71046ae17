use kinoko::transport::{TransportOptions, connect};
use kinoko_tests::{PrivateBroker, captured_log, soon, unique};

use crate::support::Echo;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn password_is_nowhere() {
    captured_log();
    let (good, wrong) = (unique("good"), unique("wrong"));
    let mut broker = PrivateBroker::start_new();
    broker.ctl(&["add_user", "canary", &good]);
    broker.ctl(&["set_permissions", "canary", ".*", ".*", ".*"]);

    let echo = Echo::start(&broker.uri_of("canary", &good)).await;
    echo.call("1").await;
    let refused =
        soon("a refusal", connect(&broker.uri_of("canary", &wrong), TransportOptions::default())).await.unwrap_err();
    let Echo { transport, requester, consumer, .. } = &echo;
    let shown = format!("{transport:?} {requester:?} {consumer:?} {} {refused:?} {refused}", transport.address());
    broker.kill9();
    echo.lost(1).await;
    let away =
        soon("a connection", connect(&broker.uri_of("canary", &wrong), TransportOptions::default())).await.unwrap();
    let shown = format!("{shown} {:?} {away:?} {:?}", echo.transport.state(), away.state());
    soon("a close", echo.transport.close()).await;
    soon("a close", away.close()).await;

    let log = captured_log();
    for (place, text) in [("what is shown", &shown), ("the log", &log)] {
        assert!(!text.contains(&good) && !text.contains(&wrong), "a password is in {place}: {text}");
        assert!(text.contains("canary@127.0.0.1"), "{place} names the user and the host: {text}");
    }
    assert!(log.contains("cannot reach the broker"), "{log}");
}
