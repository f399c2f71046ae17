use kinoko::{
    ErrorKind,
    transport::{ConnectionState, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, PrivateBroker, Replies, amqp_uri, soon, unique};

use crate::support::{open, reach};

fn with_password(password: &str) -> String {
    let uri = amqp_uri();
    let (user, rest) =
        uri.strip_prefix("amqp://").and_then(|rest| rest.split_once(':')).expect("a URI with a password");
    let (_, host) = rest.split_once('@').expect("a URI with a user");
    format!("amqp://{user}:{password}@{host}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn wrong_password_is_refused_at_once() {
    let password = unique("wrong");
    let uri = with_password(&password);
    let error = soon("a refusal", connect(&uri, TransportOptions::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let text = error.to_string();
    assert!(text.contains("refuses the user name or password of user `guest`"), "{text}");
    assert!(!format!("{error:?} {}", error.chain()).contains(&password));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn unknown_virtual_host_is_refused_at_once() {
    let uri = format!("{}/no-such-vhost", amqp_uri().trim_end_matches('/'));
    let error = soon("a refusal", connect(&uri, TransportOptions::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let text = error.to_string();
    assert!(text.contains("has no virtual host `no-such-vhost`"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn missing_permission_is_refused_with_what_to_do() {
    let broker = PrivateBroker::start_new();
    broker.ctl(&["add_user", "stranger", "pass"]);
    let error =
        soon("a refusal", connect(&broker.uri_of("stranger", "pass"), TransportOptions::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let text = error.to_string();
    assert!(text.contains("user `stranger` has no permission for virtual host `/`"), "{text}");

    // Within the virtual host the same user may lack the right to one queue.
    broker.ctl(&["set_permissions", "stranger", "^$", "^$", "^$"]);
    let transport = open(&broker.uri_of("stranger", "pass")).await;
    let topology = kinoko::transport::Topology { queues: vec![crate::support::queue()], ..Default::default() };
    let error = soon("a refusal", transport.declare(topology)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    let error = soon("a refusal", transport.open_requester("stranger", Replies::new().0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert_eq!(*transport.state().borrow(), ConnectionState::Connected);
    transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn queue_that_was_never_declared_is_an_error() {
    let transport = open(&amqp_uri()).await;
    let error =
        soon("an error", transport.consume(unique("nowhere").into(), 1, Deliveries::new().0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("NOT_FOUND"), "{error}");
    transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn refusal_that_comes_late_ends_every_wait() {
    let mut broker = PrivateBroker::stopped();
    let transport = open(&broker.uri_of("guest", "wrong")).await;
    assert!(matches!(&*transport.state().borrow(), ConnectionState::Connecting(reason) if !reason.is_empty()));
    let waiting = tokio::spawn({
        let transport = transport.clone();
        async move { transport.open_requester("late", Replies::new().0).await.map(drop) }
    });
    let _broker = tokio::task::spawn_blocking(move || {
        broker.start();
        broker
    })
    .await
    .unwrap();
    let state = reach(&*transport, |state| matches!(state, ConnectionState::Refused(_))).await;
    let error = soon("the refusal", waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(state, ConnectionState::Refused(error.to_string()));
    let error = soon("a refusal", transport.declare(Default::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    soon("a close", transport.close()).await;
}
