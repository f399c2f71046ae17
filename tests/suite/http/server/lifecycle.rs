//! Start and stop.

use std::{sync::Arc, time::Duration};

use kinoko::{
    ErrorKind,
    http::axum::{Router, routing::get},
    testing::TestApp,
};
use kinoko_tests::{eventually, soon};
use tokio::sync::Semaphore;

use super::{
    app,
    client::{Wire, is_refused},
    start,
};

/// A request that runs until it may end, and says when it has begun.
fn gated() -> (Router, Arc<Semaphore>, Arc<Semaphore>) {
    let (begun, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let shared = (begun.clone(), gate.clone());
    let wait = move || {
        let (begun, gate) = shared.clone();
        async move {
            begun.add_permits(1);
            gate.acquire().await.unwrap().forget();
            "done"
        }
    };
    let router = Router::new().route("/wait", get(wait)).route("/", get(|| async { "here" }));
    (router, begun, gate)
}

#[tokio::test]
async fn a_stop_closes_what_rests_and_lets_a_running_request_finish() {
    let (router, begun, gate) = gated();
    let app = start(app("{}").mount("/", router)).await;
    let address = app.http_address().unwrap();
    let (mut resting, mut running) = (Wire::to(address).await, Wire::to(address).await);
    let answer = resting.get("/").await;
    assert_eq!((answer.status, answer.header("connection")), (200, None));
    running.send("GET /wait HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    begun.acquire().await.unwrap().forget();

    let stop = tokio::spawn(app.stop());
    assert_eq!(resting.closed().await, 0);
    eventually(Duration::from_secs(5), "nobody listens", || async { is_refused(address).await.then_some(()) }).await;
    assert!(!stop.is_finished());
    gate.add_permits(1);
    let answer = running.answer().await;
    assert_eq!((answer.status, answer.text().as_str(), answer.header("connection")), (200, "done", Some("close")));
    assert_eq!(running.closed().await, 0);
    soon("the stop", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_outlasts_the_grace_period_is_cut_off() {
    let (router, begun, _gate) = gated();
    let app = start(app("grace_period: 100ms").mount("/", router)).await;
    let mut running = Wire::to(app.http_address().unwrap()).await;
    running.send("GET /wait HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    begun.acquire().await.unwrap().forget();
    soon("the stop", app.stop()).await.unwrap();
    assert_eq!(running.closed().await, 0);
}

#[tokio::test]
async fn a_dropped_app_takes_its_connections_along() {
    let (router, begun, _gate) = gated();
    let app = start(app("ops: {address: '127.0.0.1:0'}").mount("/", router)).await;
    let (address, ops) = (app.http_address().unwrap(), app.ops_address().unwrap());
    let (mut resting, mut running) = (Wire::to(address).await, Wire::to(address).await);
    assert_eq!(resting.get("/").await.status, 200);
    running.send("GET /wait HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    begun.acquire().await.unwrap().forget();
    drop(app);
    assert_eq!((resting.closed().await, running.closed().await), (0, 0));
    for address in [address, ops] {
        eventually(Duration::from_secs(5), "nobody listens", || async { is_refused(address).await.then_some(()) })
            .await;
    }
}

#[tokio::test]
async fn a_busy_port_ends_the_start_and_says_what_to_do() {
    let first = start(app("{}").mount("/", gated().0)).await;
    let address = first.http_address().unwrap();
    for key in ["http.address", "ops.address"] {
        let mut settings = kinoko::Settings::default();
        settings.set("http.address", "127.0.0.1:0");
        settings.set(key, address.to_string());
        let second = kinoko::App::new().service::<super::Plain>().mount("/", gated().0).settings(settings);
        let error = second.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on `{address}` (`{key}` is from the program): another program, or another instance of this one, \
                 listens there: stop it, or set `{key}` to another port (0 takes any that is free)"
            )
        );
    }
    first.stop().await.unwrap();
}

#[tokio::test]
async fn wrong_settings_say_what_to_write() {
    for (yaml, expected) in [
        (
            "http: {address: here}",
            "setting `http.address` (from line 1): `here` is no address: write `127.0.0.1:8000`, or `0.0.0.0:8000`",
        ),
        ("WEB_SERVER_ADDRESS: a:b", "setting `http.address` (from line 1): `a:b` is no address"),
        ("http: {header_timeout: 0s}", "setting `http.header_timeout` (from line 1): it must be more than 0s"),
        (
            "http: {max_header_bytes: 1024}",
            "setting `http.max_header_bytes` (from line 1): 1024 is out of bounds: the least is 8192",
        ),
        (
            "http: {max_connections: 0}",
            "setting `http.max_connections` (from line 1): 0 is out of bounds: the least is 1",
        ),
        (
            "http: {cors: {origins: [shop.example]}}",
            "setting `http.cors.origins` (from line 1): `shop.example` is no origin: write `https://shop.example`",
        ),
        (
            "http: {cors: {origins: '*', credentials: true}}",
            "setting `http.cors.credentials` (from line 1): browsers send no credentials",
        ),
        (
            "http: {cors: {origins: '*', methods: ['G T']}}",
            "setting `http.cors.methods` (from line 1): `G T` is no method",
        ),
        ("http: {tls: {key: key.pem}}", "setting `http.tls.key` (from line 1): there is a key, but no certificate"),
        ("http: {adress: x}", "unknown setting `http.adress` (line 1): did you mean `http.address`?"),
        ("mode: test", "setting `mode` (from line 1): `test` is neither `development` nor `production`"),
        ("ops: {token: short}", "setting `ops.token` (from line 1): it is too short"),
    ] {
        let settings = kinoko::Settings::from_yaml(yaml).unwrap();
        let error = kinoko::App::new().service::<super::Plain>().settings(settings).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{yaml}");
        assert!(error.to_string().starts_with(expected), "{yaml}: {error}");
    }
}

#[tokio::test]
async fn who_has_nothing_to_serve_listens_nowhere_and_neither_does_a_test() {
    let app = start(app("{}")).await;
    assert_eq!((app.http_address(), app.ops_address()), (None, None));
    app.stop().await.unwrap();
    let test = TestApp::of(super::app("{}").mount("/", gated().0)).start().await.unwrap();
    assert_eq!((test.http_address(), test.ops_address()), (None, None));
    test.stop().await.unwrap();
}
