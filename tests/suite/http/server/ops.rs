//! Operations endpoints.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use kinoko::{RunningApp, Settings, prelude::*};
use kinoko_tests::{eventually, free_ports, soon};
use serde_json::json;

use super::client::get;

async fn app(yaml: &str) -> (RunningApp, SocketAddr) {
    let mut settings = Settings::from_yaml(yaml).unwrap();
    settings.set("ops.address", "127.0.0.1:0");
    let app = App::new().service::<super::Plain>().settings(settings).start().await.unwrap();
    let address = app.ops_address().unwrap();
    (app, address)
}

#[tokio::test]
async fn a_program_that_works_is_live_and_ready() {
    let (app, address) = app("{}").await;
    let live = get(address, "/health/live").await;
    assert_eq!((live.status, live.text().as_str()), (200, r#"{"status":"live"}"#));
    assert_eq!(live.header("cache-control"), Some("no-store"));
    let ready = get(address, "/health/ready").await;
    assert_eq!(ready.status, 200);
    let report = ready.json();
    assert_eq!(
        (&report["status"], &report["phase"], &report["reasons"]),
        (&json!("ready"), &json!("running"), &json!([]))
    );
    assert_eq!(report["broker"]["state"], "connected");
    let service = &report["services"][0];
    assert_eq!((&service["name"], &service["ready"]), (&json!("http_plain"), &json!(true)));
    let queues: Vec<_> = service["consumers"].as_array().unwrap().iter().map(|consumer| &consumer["queue"]).collect();
    assert!(queues.contains(&&json!("rpc-http_plain")), "{report}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn info_says_what_runs_and_metrics_are_valid() {
    let (app, address) = app("mode: production").await;
    let info = get(address, "/info").await.json();
    assert_eq!(info["kinoko"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&info["mode"], &info["program"]["version"]), (&json!("production"), &json!(null)));
    assert!(info["program"]["name"].as_str().unwrap().starts_with("suite"), "{info}");
    assert!(info["started_at"].as_str().unwrap().ends_with('Z'), "{info}");
    assert_eq!(
        info["services"],
        json!([{
            "name": "http_plain",
            "entrypoints": {"rpc": [{"method": "nothing"}], "events": [], "consumers": [], "timers": [], "http": [], "grpc": []},
        }])
    );
    let metrics = get(address, "/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(metrics.text().contains("kinoko_workers_total{service=\"http_plain\""), "{metrics:?}");
    let none = get(address, "/").await;
    assert_eq!(none.status, 404);
    assert!(none.text().contains("/health/ready"), "{none:?}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_that_waits_for_its_broker_lives_and_is_not_ready() {
    let ports = free_ports::<2>();
    let mut settings = Settings::default();
    settings.set("ops.address", format!("127.0.0.1:{}", ports[0]));
    // Nobody listens there.
    let broker = format!("amqp://127.0.0.1:{}", ports[1]);
    let address = SocketAddr::from(([127, 0, 0, 1], ports[0]));
    let start = tokio::spawn(App::new().service::<super::Plain>().broker(broker).settings(settings).start());
    let limit = std::time::Duration::from_secs(5);
    let live = || async { tokio::net::TcpStream::connect(address).await.ok() };
    eventually(limit, "somebody listens", live).await;
    assert_eq!(get(address, "/health/live").await.status, 200);
    let ready = soon("an answer", get(address, "/health/ready")).await;
    assert_eq!(ready.status, 503);
    let report = ready.json();
    assert_eq!((&report["phase"], &report["broker"]["state"]), (&json!("starting"), &json!("connecting")));
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("the services are starting") && reasons.contains("no connection to amqp://"), "{reasons}");
    start.abort();
}

/// Runs a program as users do, and returns it with what its log says of where it listens.
fn run(variables: &[(&str, &str)]) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_program-with-a-service"));
    command.env_clear().envs(variables.iter().copied()).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("listening") || line.starts_with("error:")).unwrap();
    (child, line)
}

#[tokio::test]
async fn programs_that_are_run_have_them_on_the_next_free_port_and_say_where() {
    let (mut one, mut two) = (run(&[]), run(&[]));
    let mut addresses = Vec::new();
    for (_, line) in [&one, &two] {
        let (_, rest) = line.split_once("operations=\"http://").expect(line);
        let address: SocketAddr = rest.split('"').next().unwrap().parse().unwrap();
        assert!((9000..=9099).contains(&address.port()) && address.ip().is_loopback(), "{line}");
        assert!(line.contains("mode=\"development\""), "{line}");
        assert_eq!(get(address, "/health/live").await.status, 200);
        let info = get(address, "/info").await.json();
        assert_eq!(info["program"]["name"], "program-with-a-service");
        addresses.push(address);
    }
    assert_ne!(addresses[0], addresses[1]);
    for child in [&mut one.0, &mut two.0] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[tokio::test]
async fn what_is_logged_is_changed_while_a_program_runs() {
    let token = "0123456789abcdef";
    let mut command = Command::new(env!("CARGO_BIN_EXE_program-with-a-service"));
    let address = SocketAddr::from(([127, 0, 0, 1], free_ports::<1>()[0]));
    let variables = [("KINOKO_OPS__ADDRESS", &*address.to_string()), ("KINOKO_OPS__TOKEN", token)];
    command.env_clear().envs(variables).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains("listening")).unwrap();
    assert_eq!(get(address, "/log").await.json(), json!({"log": "info"}));
    let put = async |body: &str, token: &str| {
        let length = body.len();
        let head = format!(
            "PUT /log HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
        );
        super::client::Wire::to(address).await.ask(format!("{head}{body}")).await
    };
    assert_eq!(put("debug", "wrong-wrong-wrong").await.status, 401);
    let slip = put("dbug", token).await;
    assert!(slip.status == 422 && slip.text().contains("did you mean `debug`"), "{slip:?}");
    assert_eq!(put("warn,orders=debug", token).await.json(), json!({"log": "warn,orders=debug"}));
    assert_eq!(get(address, "/log").await.json(), json!({"log": "warn,orders=debug"}));
    // At `info` it would say that it stops.
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let rest: Vec<_> = lines.collect();
    assert!(rest.iter().any(|line| line.contains("what is logged changes")), "{rest:?}");
    assert!(!rest.iter().any(|line| line.contains("stopping")), "{rest:?}");
    child.wait().unwrap();
}

#[tokio::test]
async fn an_address_that_was_set_and_is_taken_ends_the_program() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (mut child, line) = run(&[("KINOKO_OPS__ADDRESS", &address)]);
    assert!(line.contains("(`ops.address` is from KINOKO_OPS__ADDRESS)"), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[tokio::test]
async fn they_can_be_switched_off() {
    let settings = Settings::from_yaml("ops: {enabled: false, address: '127.0.0.1:0'}").unwrap();
    let app = App::new().service::<super::Plain>().settings(settings).start().await.unwrap();
    assert_eq!(app.ops_address(), None);
    app.stop().await.unwrap();
}
