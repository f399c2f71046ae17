//! What a URL may name: several brokers, any virtual host.

use std::time::Duration;

use kinoko::transport::{ConnectionState, Tls, Transport, TransportOptions, connect};
use kinoko_tests::{
    Authority, Folder, PrivateBroker, TlsServer, amqp_uri, eventually, free_ports, soon, unique, write_pem,
};
use rcgen::date_time_ymd;

use crate::support::{Echo, open, reach, refusal};

/// The state alone may still be that of the broker that was lost.
async fn takes_over(transport: &dyn Transport, broker: &PrivateBroker) {
    eventually(Duration::from_secs(60), "another broker takes over", || async {
        let there = transport.address().contains(&broker.host_port());
        (there && *transport.state().borrow() == ConnectionState::Connected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn another_broker_of_the_list_takes_over() {
    let (mut first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(PrivateBroker::start_new);
        (PrivateBroker::start_new(), second.join().unwrap())
    });
    let mut second = second;
    let echo = Echo::start(&format!("{};{}", first.uri(), second.host_port())).await;
    assert!(echo.transport.address().contains(&first.host_port()), "{}", echo.transport.address());
    echo.call("at the first").await;

    first.kill9();
    echo.lost(1).await;
    takes_over(&*echo.transport, &second).await;
    echo.call("at the second").await;

    first.start();
    second.kill9();
    echo.lost(2).await;
    takes_over(&*echo.transport, &first).await;
    echo.call("at the first again").await;
    soon("a close", echo.transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn silent_and_absent_brokers_of_the_list_are_passed_over() {
    let [absent] = free_ports();
    let good = amqp_uri();
    let silent = TlsServer::silent();
    let list = format!("amqp://127.0.0.1:{};amqp://127.0.0.1:{absent};{good}", silent.port());
    let transport = open(&list).await;
    reach(&*transport, |state| *state == ConnectionState::Connected).await;
    assert!(good.contains(transport.address().rsplit_once('@').unwrap().1.split('/').next().unwrap()));
    transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_list_is_refused_when_all_of_it_refuse() {
    let good = amqp_uri();
    let address = good.rsplit_once('@').unwrap().1.split('/').next().unwrap();
    let wrong = |user: &str| format!("amqp://{user}:{}@{address}", unique("wrong"));
    let [absent] = free_ports();

    let list = format!("{};{}", wrong("one"), wrong("two"));
    let text = refusal(&list, TransportOptions::default()).await;
    assert!(text.contains("password of user `one`") && text.contains("password of user `two`"), "{text}");

    // The one that is away may take us when it is back.
    let transport = open(&format!("{};amqp://127.0.0.1:{absent}", wrong("one"))).await;
    let away = |state: &ConnectionState| match state {
        ConnectionState::Connecting(reason) => {
            reason.contains("password of user `one`") && reason.contains(&format!("one@127.0.0.1:{absent}/%2F: "))
        }
        _ => false,
    };
    reach(&*transport, away).await;
    soon("a close", transport.close()).await;

    let transport = open(&format!("{};{good}", wrong("one"))).await;
    reach(&*transport, |state| *state == ConnectionState::Connected).await;
    soon("a close", transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_silent_in_the_handshake_is_not_waited_for() {
    let (folder, ca) = (Folder::new(), Authority::new("kinoko test CA"));
    let mut tls = Tls::default();
    tls.ca = Some(write_pem(&folder, &ca.pem));
    let options = TransportOptions { tls: Some(tls), ..TransportOptions::default() };
    let shown = ca.issue(&["localhost"], |params| params.not_after = date_time_ymd(2024, 1, 1));
    let (silent, expired) = (TlsServer::silent(), TlsServer::showing(vec![shown.der()], &shown.key_der()));
    let list = format!("amqps://localhost:{};localhost:{}", silent.port(), expired.port());
    let transport = soon("a return", connect(&list, options)).await.unwrap();
    let failed = |state: &ConnectionState| match state {
        ConnectionState::Connecting(reason) => {
            reason.contains(&format!(":{}/%2F: no connection within 10s; ", silent.port()))
                && reason.contains(&format!(":{}/%2F: the broker's certificate is refused", expired.port()))
        }
        _ => false,
    };
    reach(&*transport, failed).await;
    soon("a close", transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn every_virtual_host_can_be_named() {
    let broker = PrivateBroker::start_new();
    let hosts = [("/", "/"), ("foo", "/foo"), ("a/b", "/a/b"), ("c/d", "/c%2Fd"), ("ä ?;%", "/%C3%A4%20%3F%3B%25")];
    for (index, (host, path)) in hosts.into_iter().enumerate() {
        if host != "/" {
            broker.ctl(&["add_vhost", host]);
        }
        // Allowed there only, so that a connection tells where it is.
        let user = format!("user{index}");
        broker.ctl(&["add_user", &user, "pass"]);
        broker.ctl(&["set_permissions", "-p", host, &user, ".*", ".*", ".*"]);
        let transport = open(&format!("amqp://{user}:pass@{}{path}", broker.host_port())).await;
        reach(&*transport, |state| *state == ConnectionState::Connected).await;
        soon("a close", transport.close()).await;
    }
    for path in ["", "/", "//", "/%2F", "/%2f"] {
        let transport = open(&format!("amqp://user0:pass@{}{path}", broker.host_port())).await;
        reach(&*transport, |state| *state == ConnectionState::Connected).await;
        soon("a close", transport.close()).await;
    }
}
