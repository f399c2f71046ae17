//! Routes of services behind the server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kinoko::{
    ErrorKind,
    http::axum::{Router, body::Bytes, routing::get},
    prelude::*,
};
use kinoko_tests::{eventually, soon};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

use super::client::{Wire, get as ask};

/// Holds workers, and records how they end.
#[derive(Clone)]
struct Gate {
    begun: Arc<Notify>,
    open: Arc<Semaphore>,
    ends: Arc<Mutex<Vec<String>>>,
}

impl Dependency for Gate {
    type Options = ();

    async fn setup(_: &kinoko::SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(GATE.with(Clone::clone))
    }

    async fn worker_result(&self, _: &WorkerContext, outcome: WorkerOutcome<'_>) -> kinoko::Result<()> {
        self.ends
            .lock()
            .unwrap()
            .push(format!("{outcome:?}").chars().take_while(char::is_ascii_alphanumeric).collect());
        Ok(())
    }
}

// Each test runs on a thread of its own.
thread_local! {
    static GATE: Gate = Gate { begun: Arc::default(), open: Arc::new(Semaphore::new(0)), ends: Arc::default() };
}

#[derive(Dependencies)]
struct Held {
    gate: Gate,
}

#[service(name = "http_held", http = "/held")]
impl Held {
    #[http(GET, "/wait")]
    async fn wait(&self) -> u32 {
        self.gate.begun.notify_one();
        self.gate.open.acquire().await.unwrap().forget();
        7
    }

    #[http(POST, "/length")]
    fn length(&self, text: String) -> usize {
        text.len()
    }

    #[http(POST, "/raw")]
    async fn raw(&self, #[extract] body: Bytes) -> usize {
        body.len()
    }

    #[http(POST, "/stream", max_body_bytes = 5_000_000)]
    async fn stream(&self, #[extract] body: Bytes) -> usize {
        body.len()
    }
}

fn app(yaml: &str) -> App {
    let mut settings = Settings::from_yaml(yaml).unwrap();
    settings.set("http.address", "127.0.0.1:0");
    settings.set("ops.address", "127.0.0.1:0");
    App::new().service::<Held>().settings(settings)
}

#[tokio::test]
async fn a_stop_waits_for_the_worker_of_a_request() {
    let app = app("{}").start().await.unwrap();
    let (address, ops) = (app.http_address().unwrap(), app.ops_address().unwrap());
    let mut wire = Wire::to(address).await;
    wire.send("GET /held/wait HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    let gate = GATE.with(Clone::clone);
    soon("the worker", gate.begun.notified()).await;
    let stop = tokio::spawn(app.stop());
    let stopping = || async { (ask(ops, "/health/ready").await.status == 503).then_some(()) };
    eventually(Duration::from_secs(5), "it says that it stops", stopping).await;
    let report = ask(ops, "/health/ready").await.json();
    assert_eq!((&report["phase"], &report["reasons"][0]), (&json!("stopping"), &json!("the services are stopping")));
    assert!(!stop.is_finished());
    gate.open.add_permits(1);
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.text().as_str(), answer.header("connection")), (200, "7", Some("close")));
    soon("the stop", stop).await.unwrap().unwrap();
    assert_eq!(*gate.ends.lock().unwrap(), ["Ok"]);
}

#[tokio::test]
async fn a_worker_that_outlasts_the_grace_period_is_told_and_its_hooks_run() {
    let app = app("grace_period: 100ms").start().await.unwrap();
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    wire.send("GET /held/wait HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    let gate = GATE.with(Clone::clone);
    soon("the worker", gate.begun.notified()).await;
    let error = soon("the stop", app.stop()).await.unwrap_err();
    let answer = wire.answer().await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("STOPPING")));
    assert!(error.to_string().contains("1 workers were dropped"), "{error}");
    assert_eq!(gate.ends.lock().unwrap().len(), 1, "{:?}", gate.ends);
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_the_worker() {
    let app = app("{}").start().await.unwrap();
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    wire.send("GET /held/wait HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    let gate = GATE.with(Clone::clone);
    soon("the worker", gate.begun.notified()).await;
    drop(wire);
    let ended = || async { (app.running_workers() == 0).then_some(()) };
    eventually(Duration::from_secs(5), "the worker is over", ended).await;
    assert_eq!(gate.ends.lock().unwrap().len(), 1);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn the_body_of_a_route_has_its_limits_over_a_socket_too() {
    let app = app("http: {max_body_bytes: 10, body_timeout: 100ms}").start().await.unwrap();
    let address = app.http_address().unwrap();
    for path in ["/held/length", "/held/raw"] {
        for (rest, status, code) in [
            ("content-length: 4\r\n\r\n\"ab\"", 200, json!(null)),
            ("content-length: 11\r\n\r\n", 413, json!("TOO_LARGE")),
            ("transfer-encoding: chunked\r\n\r\nb\r\n\"abcdefghi\"\r\n0\r\n\r\n", 413, json!("TOO_LARGE")),
            ("content-length: 5\r\n\r\n\"ab", 408, json!("TOO_SLOW")),
        ] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: k\r\ncontent-type: application/json\r\n");
            let answer = Wire::to(address).await.ask(format!("{head}{rest}")).await;
            assert_eq!((answer.status, &answer.json()["code"]), (status, &code), "{path} {rest}: {answer:?}");
        }
    }
    // More than axum takes by itself.
    let large =
        format!("POST /held/stream HTTP/1.1\r\nhost: k\r\ncontent-length: 3000000\r\n\r\n{}", "x".repeat(3_000_000));
    assert_eq!(Wire::to(address).await.ask(large).await.text(), "3000000");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn routes_and_mounts_stand_beside_each_other_or_not_at_all() {
    let router = || Router::new().route("/", get(|| async { "mounted" }));
    let app = app("{}").mount("/other", router()).start().await.unwrap();
    let address = app.http_address().unwrap();
    assert_eq!(ask(address, "/other").await.text(), "mounted");
    assert_eq!(ask(address, "/held/wait/not").await.status, 404);
    let info = ask(app.ops_address().unwrap(), "/info").await.json();
    assert_eq!(
        info["services"][0]["entrypoints"]["http"],
        json!([
            {"method": "wait", "verb": "GET", "path": "/held/wait"},
            {"method": "length", "verb": "POST", "path": "/held/length"},
            {"method": "raw", "verb": "POST", "path": "/held/raw"},
            {"method": "stream", "verb": "POST", "path": "/held/stream"},
        ])
    );
    app.stop().await.unwrap();

    let error = self::app("{}").mount("/held", router()).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(error.to_string(), "`/held` is mounted, and the route `/held/wait` is there already: move one of them");
}
