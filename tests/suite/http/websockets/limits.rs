//! What a socket may not do.

use std::time::Duration;

use kinoko::{
    ErrorKind,
    testing::{TestApp, WebSocketClose},
};
use serde_json::json;

use super::{Chat, ChatClient, Gate, PATH, app, started};

#[tokio::test(start_paused = true)]
async fn a_page_of_another_site_is_refused() {
    let app = started(&Gate::default(), "http: {websocket: {origins: ['https://shop.example']}}").await;
    let refused = app.http().get(PATH).header("host", "localhost").header("origin", "https://evil.example");
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let error = app.websocket(PATH).header("origin", "https://evil.example").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    for origin in ["http://localhost", "https://shop.example"] {
        app.websocket(PATH).header("origin", origin).await.unwrap();
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_websocket_is_a_problem() {
    let app = app().await;
    let answer = app.http().get(PATH).send().await.unwrap();
    assert_eq!((answer.status() / 100, answer.header("content-type")), (4, "application/problem+json"));
    assert_eq!(app.http().post(PATH).send().await.unwrap().status(), 405);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_closes_the_socket() {
    let app = started(&Gate::default(), "http: {websocket: {max_message_bytes: 100}}").await;
    let mut socket = app.websocket(PATH).await.unwrap();
    socket.send_text("x".repeat(100)).await.unwrap();
    assert_eq!(socket.next().await.unwrap()["success"], false);
    socket.send_text("x".repeat(101)).await.unwrap();
    let WebSocketClose { code, reason } = socket.closed().await.unwrap();
    assert_eq!((code, &*reason), (1009, "the message is too large (http.websocket.max_message_bytes)"));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn so_many_messages_of_one_socket_are_worked_on() {
    let gate = Gate::default();
    let app = started(&gate, "http: {websocket: {max_in_flight: 2}}").await;
    let mut socket = app.websocket(PATH).await.unwrap();
    for id in 0..2 {
        socket.send(&json!({"method": "held", "correlation_id": id})).await.unwrap();
        gate.entered.notified().await;
    }
    socket.send(&json!({"method": "add", "data": {"a": 1}, "correlation_id": "third"})).await.unwrap();
    // Another socket has its own two.
    let mut other = app.websocket(PATH).await.unwrap();
    assert_eq!(other.call("add", &json!({"a": 1})).await.unwrap()["data"], 2);
    assert_eq!(gate.ends_of_methods(), ["add ok"]);
    gate.open.notify_one();
    assert_eq!(socket.next().await.unwrap()["data"], "let go");
    assert_eq!(socket.next().await.unwrap()["correlation_id"], "third");
    gate.open.notify_one();
    assert_eq!(socket.next().await.unwrap()["data"], "let go");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_reads_stop_the_reading() {
    let gate = Gate::default();
    let app = started(&gate, "http: {websocket: {max_in_flight: 2}}").await;
    let mut socket = app.websocket(PATH).await.unwrap();
    // More than the pipe between the two ends has room for.
    let value = "x".repeat(40_000);
    let (mut sent, limit) = (0, 20);
    let message = json!({"method": "echo", "data": {"value": value}});
    while sent < limit && tokio::time::timeout(Duration::from_millis(200), socket.send(&message)).await.is_ok() {
        sent += 1;
    }
    assert!(sent < limit, "all {limit} were read");
    drop(socket);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_events_is_closed_and_told_why() {
    let app = started(&Gate::default(), "http: {websocket: {max_pending_bytes: 10000}}").await;
    let mut socket = app.websocket(PATH).await.unwrap();
    socket.call("enter", &json!({"room": "loud"})).await.unwrap();
    let chat = app.client::<ChatClient>();
    let text = "x".repeat(5_000);
    // The pipe between the two ends takes some of it.
    for _ in 0..40 {
        chat.say("loud".into(), text.clone()).await.unwrap();
    }
    let WebSocketClose { code, reason } = socket.closed().await.unwrap();
    assert_eq!((code, &*reason), (1008, "reads too slowly: too many events wait to be sent"));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_answers_no_ping_is_closed() {
    let app = app().await;
    let mut socket = app.websocket(PATH).await.unwrap();
    // Nobody reads, so nobody answers: a client that is there answers without being asked.
    tokio::time::sleep(Duration::from_secs(41)).await;
    let WebSocketClose { code, reason } = socket.closed().await.unwrap();
    assert_eq!((code, &*reason), (1008, "answers no ping"));

    let mut alive = app.websocket(PATH).await.unwrap();
    let silence = tokio::time::timeout(Duration::from_secs(300), alive.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(alive.call("add", &json!({"a": 1})).await.unwrap()["data"], 2);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn settings_that_make_no_sense_end_the_start() {
    for (settings, key) in [
        ("http: {websocket: {origins: ['shop.example']}}", "http.websocket.origins"),
        ("http: {websocket: {origins: ['https://shop.example?x']}}", "http.websocket.origins"),
        ("http: {websocket: {max_in_flight: 0}}", "http.websocket.max_in_flight"),
        ("http: {websocket: {ping_interval: 0s}}", "http.websocket.ping_interval"),
    ] {
        let app = TestApp::new().service::<Chat>().replace(Gate::default()).yaml(settings);
        let error = app.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(key), "{error}");
    }
}
