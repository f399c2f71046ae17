//! Websockets through a real listener: how they end, and what does not end them.

use std::{net::SocketAddr, time::Duration};

use kinoko::{RunningApp, WorkerOutcome, prelude::*};
use kinoko_tests::{Frame, RawSocket, eventually, soon};

use super::{super::gate::Gate, client::is_refused};

// Each test runs on a thread of its own.
thread_local! {
    static GATE: Gate = Gate::default();
}

/// The gate of the test that runs.
#[derive(Clone)]
struct TheGate(Gate);

impl Dependency for TheGate {
    type Options = ();

    async fn setup(_: &kinoko::SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self(GATE.with(Clone::clone)))
    }

    async fn worker_result(&self, cx: &WorkerContext, outcome: WorkerOutcome<'_>) -> kinoko::Result<()> {
        self.0.worker_result(cx, outcome).await
    }
}

#[derive(Dependencies)]
struct Talk {
    gate: TheGate,
}

#[service(name = "http_talk")]
impl Talk {
    #[websocket]
    fn echo(&self, text: String) -> String {
        text
    }

    #[websocket]
    async fn held(&self) -> u32 {
        self.gate.0.pass().await;
        7
    }
}

async fn start(yaml: &str) -> (RunningApp, SocketAddr) {
    let mut settings = Settings::from_yaml(yaml).unwrap();
    settings.set("http.address", "127.0.0.1:0");
    let app = App::new().service::<Talk>().settings(settings).start().await.unwrap();
    let address = app.http_address().unwrap();
    (app, address)
}

fn away() -> Frame {
    Frame::Close(1001, "the service stops".into())
}

/// Answers a close, and waits for the end of the connection.
async fn farewell(mut socket: RawSocket) {
    socket.frame(0x88, &1001_u16.to_be_bytes()).await;
    assert_eq!(socket.next().await, Frame::End);
}

#[tokio::test]
async fn a_stop_closes_sockets_when_what_runs_is_answered() {
    let gate = GATE.with(Clone::clone);
    let (app, address) = start("{}").await;
    let (mut idle, mut busy) = (RawSocket::connect(address, "/ws").await, RawSocket::connect(address, "/ws").await);
    busy.send(r#"{"method": "held", "correlation_id": 1}"#).await;
    soon("the worker", gate.entered.notified()).await;
    let stop = tokio::spawn(app.stop());
    assert_eq!(idle.next().await, away());
    farewell(idle).await;
    eventually(Duration::from_secs(5), "nobody listens", || async { is_refused(address).await.then_some(()) }).await;
    assert!(!stop.is_finished());
    gate.open.notify_one();
    let answer = r#"{"type":"result","success":true,"data":7,"correlation_id":1}"#;
    assert_eq!([busy.next().await, busy.next().await], [Frame::Text(answer.into()), away()]);
    farewell(busy).await;
    soon("the stop", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_does_not_answer_the_close_holds_no_stop_up() {
    let (app, address) = start("grace_period: 20s").await;
    let mut silent = RawSocket::connect(address, "/ws").await;
    let started = tokio::time::Instant::now();
    soon("the stop", app.stop()).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!([silent.next().await, silent.next().await], [away(), Frame::End]);
}

#[tokio::test]
async fn what_outlasts_the_grace_period_is_told_and_closed() {
    let gate = GATE.with(Clone::clone);
    let (app, address) = start("grace_period: 100ms").await;
    let mut busy = RawSocket::connect(address, "/ws").await;
    busy.send(r#"{"method": "held"}"#).await;
    soon("the worker", gate.entered.notified()).await;
    let error = soon("the stop", app.stop()).await.unwrap_err();
    assert!(error.to_string().contains("1 workers were dropped"), "{error}");
    assert!(matches!(busy.next().await, Frame::Text(text) if text.contains("STOPPING")));
    assert_eq!([busy.next().await, busy.next().await], [away(), Frame::End]);
    assert_eq!(gate.ends_of_methods(), ["held Cancelled(Stopping)"]);
}

#[tokio::test]
async fn who_does_not_keep_to_the_protocol_is_told_why_it_is_closed() {
    let (app, address) = start("http: {websocket: {max_message_bytes: 200}}").await;
    let large = "x".repeat(201);
    let masked = |first: u8, payload: &[u8]| [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0][..], payload].concat();
    for (bytes, code, reason) in [
        // Not masked.
        (b"\x81\x02hi".to_vec(), 1002, "not as RFC 6455 has it"),
        // A reserved bit, a kind of frame that there is none of, the rest of no message.
        (masked(0xc1, b"hi"), 1002, "not as RFC 6455 has it"),
        (masked(0x83, b"hi"), 1002, "not as RFC 6455 has it"),
        (masked(0x80, b"hi"), 1002, "not as RFC 6455 has it"),
        (masked(0x81, b"\xff"), 1007, "the text is not UTF-8"),
        // Its length alone; and in two parts, each of which would do.
        (b"\x81\xfe\x00\xc9\0\0\0\0".to_vec(), 1009, "the message is too large (http.websocket.max_message_bytes)"),
        (
            [masked(0x01, &large.as_bytes()[..101]), masked(0x80, &large.as_bytes()[..100])].concat(),
            1009,
            "the message is too large (http.websocket.max_message_bytes)",
        ),
    ] {
        let mut socket = RawSocket::connect(address, "/ws").await;
        socket.write(&bytes).await;
        assert_eq!(socket.next().await, Frame::Close(code, reason.into()), "{bytes:?}");
        // Whoever broke the protocol is not waited for.
        assert_eq!(socket.next().await, Frame::End, "{bytes:?}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_socket_may_rest_for_as_long_as_it_answers_pings() {
    let yaml =
        "http: {idle_timeout: 100ms, header_timeout: 100ms, websocket: {ping_interval: 50ms, ping_timeout: 10s}}";
    let (app, address) = start(yaml).await;
    let mut socket = RawSocket::connect(address, "/ws").await;
    for _ in 0..8 {
        let Frame::Ping(payload) = socket.next().await else { panic!("no ping") };
        socket.frame(0x8a, &payload).await;
    }
    socket.send(r#"{"method": "echo", "data": {"text": "here"}}"#).await;
    let answer = loop {
        match socket.next().await {
            Frame::Ping(_) => {}
            other => break other,
        }
    };
    assert!(matches!(&answer, Frame::Text(text) if text.contains(r#""data":"here""#)), "{answer:?}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn who_is_silent_is_closed() {
    let (app, address) = start("http: {websocket: {ping_interval: 50ms, ping_timeout: 100ms}}").await;
    let mut socket = RawSocket::connect(address, "/ws").await;
    let closed = loop {
        match socket.next().await {
            Frame::Ping(_) => {}
            other => break other,
        }
    };
    assert_eq!(closed, Frame::Close(1008, "answers no ping".into()));
    assert_eq!(socket.next().await, Frame::End);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn an_open_socket_is_one_of_the_connections_that_there_may_be() {
    let (app, address) = start("http: {max_connections: 1}").await;
    let first = RawSocket::connect(address, "/ws").await;
    let mut second = std::pin::pin!(RawSocket::connect(address, "/ws"));
    let waits = tokio::time::timeout(Duration::from_millis(300), second.as_mut()).await;
    assert!(waits.is_err());
    drop(first);
    second.await;
    app.stop().await.unwrap();
}
