use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    time::Instant,
};

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

/// A program of its own, at TRACE and with the AMQP library's lines, which are off unless they are asked for.
///
/// It writes to a file: a pipe that nobody reads would hold it up.
fn greeter(uri: &str, args: &[&str], format: &str, log: &File) -> Child {
    Command::new(env!("CARGO_BIN_EXE_program-greeter"))
        .env_clear()
        .env("KINOKO_AMQP_URI", uri)
        .env("KINOKO_LOG_FORMAT", format)
        .args(args)
        .args(["--log", "trace,lapin=trace", "-d", "rpc_timeout=20s"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.try_clone().unwrap())
        .spawn()
        .unwrap()
}

#[test]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
fn no_line_of_a_service_and_its_caller_has_a_secret() {
    let (password, wrong, argument) = (unique("good"), unique("wrong"), unique("argument"));
    let broker = PrivateBroker::start_new();
    broker.ctl(&["add_user", "canary", &password]);
    broker.ctl(&["set_permissions", "canary", ".*", ".*", ".*"]);
    let uri = broker.uri_of("canary", &password);
    for format in ["text", "json"] {
        let path = std::env::temp_dir().join(unique("kinoko-log"));
        let file = File::options().append(true).create_new(true).open(&path).unwrap();
        let logged = || fs::read_to_string(&path).unwrap();
        let mut service = greeter(&uri, &["run"], format, &file);
        let began = Instant::now();
        // The queue may not be there yet: then there is no such service.
        let answer = loop {
            let arguments = format!(r#"{{"name": "Ada", "password": "{argument}"}}"#);
            let call = greeter(&uri, &["call", "program_greeter.greet", &arguments], format, &file);
            let call = call.wait_with_output().unwrap();
            if call.status.success() {
                break String::from_utf8_lossy(&call.stdout).into_owned();
            }
            assert!(logged().contains("UNKNOWN_SERVICE") && began.elapsed().as_secs() < 60, "{}", logged());
        };
        assert_eq!(answer, "\"Hello, Ada!\"\n");
        let refused = greeter(&broker.uri_of("canary", &wrong), &["run"], format, &file);
        assert_eq!(refused.wait_with_output().unwrap().status.code(), Some(3));
        let kill = Command::new("kill").arg(service.id().to_string()).status().unwrap();
        assert!(kill.success());
        service.wait().unwrap();
        let log = logged();
        fs::remove_file(&path).unwrap();
        assert!(log.contains("lapin") && log.contains("arguments") && log.contains("canary"), "{log}");
        for secret in [&password, &wrong, &argument] {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{line:?}");
        }
    }
}
