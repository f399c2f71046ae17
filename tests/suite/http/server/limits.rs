//! What callers who mean harm, or are broken, cannot hold or take.

use std::{net::SocketAddr, time::Duration};

use kinoko::http::axum::{
    Router,
    body::Bytes,
    extract::Query,
    routing::{get, post},
};
use kinoko_tests::soon;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use super::{
    app,
    client::{Wire, get as ask},
    start,
};

fn echo() -> Router {
    Router::new()
        .route("/", get(|| async { "here" }))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/never", get(std::future::pending::<()>))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("as the test wants it")
                }
            }),
        )
        .route("/query", get(|Query(query): Query<Vec<(String, String)>>| async move { query.len().to_string() }))
        .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
}

#[tokio::test]
async fn a_request_is_for_one_host() {
    let app = start(app("{}").mount("/", echo())).await;
    let address = app.http_address().unwrap();
    for (hosts, status) in [("", 400), ("host: a\r\nhost: b\r\n", 400), ("host: a\r\n", 200)] {
        let answer = Wire::to(address).await.ask(&format!("GET / HTTP/1.1\r\n{hosts}\r\n")).await;
        assert_eq!(answer.status, status, "{hosts}");
    }
    assert_eq!(Wire::to(address).await.ask("GET / HTTP/1.0\r\n\r\n").await.status, 200);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_layer_that_panics_is_answered_for() {
    use kinoko::http::axum::{extract::Request, middleware::from_fn, response::Response};
    let layer = from_fn(async |request: Request, next: kinoko::http::axum::middleware::Next| -> Response {
        assert!(!request.uri().path().starts_with("/panic"), "as the test wants it");
        next.run(request).await
    });
    let app = start(app("{}").mount("/", echo()).layer_http(layer)).await;
    let address = app.http_address().unwrap();
    let mut wire = Wire::to(address).await;
    assert_eq!(wire.get("/panic").await.status, 500);
    assert_eq!(wire.get("/").await.text(), "here");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off_and_holds_nobody_up() {
    let app = start(app("http: {header_timeout: 150ms, idle_timeout: 30s}").mount("/", echo())).await;
    let address = app.http_address().unwrap();
    let mut silent = Wire::to(address).await;
    let mut begun = Wire::to(address).await;
    begun.send("GET / HTTP/1.1\r\nhost: kin").await;
    // One that has been served before, and takes its time for the next request.
    let mut second = Wire::to(address).await;
    assert_eq!(second.get("/").await.status, 200);
    second.send("GET / HT").await;
    let mut http2 = Wire::to(address).await;
    http2.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;

    let started = Instant::now();
    assert_eq!(ask(address, "/").await.text(), "here");
    assert_eq!(silent.closed().await, 0);
    assert_eq!(begun.closed().await, 0);
    assert_eq!(second.closed().await, 0);
    http2.closed().await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_extend_the_time_for_a_head() {
    let app = start(app("http: {header_timeout: 200ms}").mount("/", echo())).await;
    let mut slow = TcpStream::connect(app.http_address().unwrap()).await.unwrap();
    let started = Instant::now();
    soon("the end of the connection", async {
        let mut beat = tokio::time::interval(Duration::from_millis(10));
        // A write to a connection that the other side has closed fails at the latest with the second one.
        while slow.write_all(b"G").await.is_ok() {
            beat.tick().await;
        }
    })
    .await;
    assert!(started.elapsed() >= Duration::from_millis(200) && started.elapsed() < Duration::from_secs(5));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_rests_is_closed_after_a_while() {
    let app = start(app("http: {header_timeout: 10s, idle_timeout: 150ms}").mount("/", echo())).await;
    let mut resting = Wire::to(app.http_address().unwrap()).await;
    assert_eq!(resting.get("/").await.status, 200);
    assert_eq!(resting.closed().await, 0);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn who_does_not_read_the_answer_is_left() {
    let app = start(app("http: {idle_timeout: 150ms}").mount("/", echo())).await;
    let mut unread = Wire::to(app.http_address().unwrap()).await;
    unread.send("GET /large HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    assert!(unread.read_head().await.starts_with("HTTP/1.1 200 OK"));
    // The stop waits for answers that are on their way: it ends because this one is given up.
    soon("the stop", app.stop()).await.unwrap();
    assert!(unread.closed().await < 64 << 20);
}

#[tokio::test]
async fn a_slow_reader_gets_its_whole_answer() {
    let app = start(app("http: {idle_timeout: 500ms}").mount("/", echo())).await;
    let mut slow = Wire::to(app.http_address().unwrap()).await;
    slow.send("GET /large HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    slow.read_head().await;
    let stop = tokio::spawn(app.stop());
    let started = Instant::now();
    // Longer than a connection may rest, and than a stop waits for one that does not move.
    let mut beat = tokio::time::interval(Duration::from_millis(10));
    let mut length = 0;
    while started.elapsed() < Duration::from_millis(1500) {
        beat.tick().await;
        length += slow.take_some().await;
    }
    assert!(length < 64 << 20, "it was not slow");
    length += slow.closed().await;
    assert_eq!(length, 64 << 20);
    soon("the stop", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn heads_that_are_too_large_are_431() {
    let app = start(app("http: {max_header_bytes: 8192}").mount("/", echo())).await;
    let address = app.http_address().unwrap();
    let large = format!("GET / HTTP/1.1\r\nhost: kinoko\r\nx-large: {}\r\n\r\n", "x".repeat(9_000));
    assert_eq!(Wire::to(address).await.ask(large).await.status, 431);
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nhost: kinoko\r\n{many}\r\n");
    assert_eq!(Wire::to(address).await.ask(many).await.status, 431);
    let fits = format!("GET / HTTP/1.1\r\nhost: kinoko\r\nx-large: {}\r\n\r\n", "x".repeat(7_000));
    assert_eq!(Wire::to(address).await.ask(fits).await.status, 200);
    app.stop().await.unwrap();
}

async fn post_length(address: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let request = format!("POST /length HTTP/1.1\r\nhost: kinoko\r\n{head}\r\n\r\n{body}");
    let answer = Wire::to(address).await.ask(request).await;
    (answer.status, answer.text())
}

#[tokio::test]
async fn bodies_over_the_limit_are_413_declared_or_in_chunks() {
    let app = start(app("http: {max_body_bytes: 10}").mount("/", echo())).await;
    let address = app.http_address().unwrap();
    assert_eq!(post_length(address, "content-length: 10", "0123456789").await, (200, "10".into()));
    // Answered before the body has come.
    let (status, text) = post_length(address, "content-length: 11", "").await;
    assert_eq!(status, 413);
    assert!(text.contains("\"code\":\"TOO_LARGE\"") && text.contains("10 bytes"), "{text}");
    let chunked = "transfer-encoding: chunked";
    assert_eq!(post_length(address, chunked, "a\r\n0123456789\r\n0\r\n\r\n").await, (200, "10".into()));
    assert_eq!(post_length(address, chunked, "8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n").await.0, 413);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408_and_a_handler_that_does_not_end_504() {
    let app = start(app("http: {body_timeout: 100ms, timeout: 200ms}").mount("/", echo())).await;
    let address = app.http_address().unwrap();
    let (status, text) = post_length(address, "content-length: 5", "012").await;
    assert_eq!(status, 408);
    assert!(text.contains("\"code\":\"TOO_SLOW\""), "{text}");
    let never = ask(address, "/never").await;
    assert_eq!((never.status, never.header("content-type")), (504, Some("application/problem+json")));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_500_and_the_connection_goes_on() {
    let app = start(app("{}").mount("/", echo())).await;
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    let answer = wire.get("/panic").await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains("as the test wants it"), "{answer:?}");
    assert_eq!(wire.get("/").await.text(), "here");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn who_is_one_too_many_waits_for_a_place() {
    let app = start(app("http: {max_connections: 2, idle_timeout: 30s}").mount("/", echo())).await;
    let address = app.http_address().unwrap();
    let (mut one, mut two) = (Wire::to(address).await, Wire::to(address).await);
    assert_eq!((one.get("/").await.status, two.get("/").await.status), (200, 200));
    // The system accepts it, kinoko does not.
    let mut three = Wire::to(address).await;
    three.send("GET / HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(100), three.answer()).await;
    assert!(early.is_err(), "{early:?}");
    drop(one);
    assert_eq!(three.answer().await.text(), "here");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn requests_that_are_none_are_refused_and_do_not_end_the_server() {
    let app = start(app("{}").mount("/", echo())).await;
    let address = app.http_address().unwrap();
    for garbage in [
        "\0\0\0\0\r\n\r\n".as_bytes(),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: k\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: k\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut wire = Wire::to(address).await;
        wire.send(garbage).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, 400, "{garbage:?}: {answer:?}");
    }
    assert_eq!(ask(address, "/query?a=1&a=2").await.text(), "2");
    app.stop().await.unwrap();
}
