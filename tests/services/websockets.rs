//! Websockets of several instances over RabbitMQ.

use std::net::SocketAddr;

use kinoko::{
    ErrorKind, Result, RunningApp,
    http::{Socket, WebSocketHub},
    prelude::*,
    testing::{RunningTestApp, TestApp, WebSocketClient},
};
use kinoko_tests::{Direction, Frame, Proxy, RawSocket, amqp_uri, soon, unique};
use serde_json::{Value, json};

#[derive(Dependencies)]
struct Rooms {
    hub: WebSocketHub,
}

#[service(name = "rooms")]
impl Rooms {
    #[websocket]
    fn join(&self, #[inject] socket: Socket, room: String) -> Result<()> {
        self.hub.subscribe(&socket, &room)
    }

    #[websocket]
    async fn say(&self, room: String, text: String) -> Result<()> {
        self.hub.broadcast(&room, "said", &text).await
    }

    /// Says of what kind the error was.
    #[websocket]
    async fn try_to_say(&self, room: String, text: String) -> Option<String> {
        let said = self.hub.broadcast(&room, "said", &text).await;
        said.err().map(|error| format!("{:?}", error.kind()))
    }

    #[websocket]
    async fn whisper(&self, to: String, text: String) -> Result<bool> {
        self.hub.unicast(&to, "whispered", &text).await
    }
}

async fn instance(broker: &str) -> RunningTestApp {
    TestApp::new().service::<Rooms>().broker(broker).yaml("dispatch_timeout: 300ms").start().await.unwrap()
}

async fn joined(app: &RunningTestApp, room: &str) -> WebSocketClient {
    let mut socket = app.websocket("/ws").await.unwrap();
    assert_eq!(call(&mut socket, "join", json!({"room": room})).await["success"], true);
    socket
}

async fn call(socket: &mut WebSocketClient, method: &str, data: Value) -> Value {
    soon("the answer", socket.call(method, &data)).await.unwrap()
}

async fn heard(socket: &mut WebSocketClient) -> String {
    soon("the event", socket.next()).await.unwrap()["data"].as_str().unwrap().to_owned()
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn sockets_of_other_instances_get_what_is_sent_to_them() {
    let room = unique("room");
    let (one, two) = (instance(&amqp_uri()).await, instance(&amqp_uri()).await);
    let (mut ada, mut ben) = (joined(&one, &room).await, joined(&two, &room).await);
    for text in ["one", "two", "three"] {
        call(&mut ada, "say", json!({"room": room, "text": text})).await;
    }
    for socket in [&mut ada, &mut ben] {
        for text in ["one", "two", "three"] {
            assert_eq!(heard(socket).await, text);
        }
    }
    let to_ben = json!({"to": ben.id(), "text": "psst"});
    assert_eq!(call(&mut ada, "whisper", to_ben.clone()).await["data"], true);
    assert_eq!(heard(&mut ben).await, "psst");
    drop(ben);
    two.stop().await.unwrap();
    assert_eq!(call(&mut ada, "whisper", to_ben).await["data"], false);
    drop(ada);
    one.stop().await.unwrap();
}

/// With a listener of its own.
async fn listening() -> (RunningApp, SocketAddr) {
    let mut settings = Settings::from_yaml("dispatch_timeout: 5s").unwrap();
    settings.set("http.address", "127.0.0.1:0");
    let app = App::new().service::<Rooms>().broker(amqp_uri()).settings(settings).start().await.unwrap();
    let address = app.http_address().unwrap();
    (app, address)
}

/// Sends a message, and returns the text of its answer.
async fn asked(socket: &mut RawSocket, method: &str, data: Value) -> Value {
    socket.send(&json!({"method": method, "data": data, "correlation_id": method}).to_string()).await;
    loop {
        let Frame::Text(text) = socket.next().await else { continue };
        let answer: Value = serde_json::from_str(&text).unwrap();
        if answer["correlation_id"] == method {
            return answer;
        }
    }
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn an_instance_that_stops_closes_its_sockets_and_the_other_goes_on() {
    let room = unique("room");
    let ((one, first), (two, second)) = (listening().await, listening().await);
    let (mut ada, mut ben) = (RawSocket::connect(first, "/ws").await, RawSocket::connect(second, "/ws").await);
    for socket in [&mut ada, &mut ben] {
        assert_eq!(asked(socket, "join", json!({"room": room})).await["success"], true);
    }
    asked(&mut ada, "say", json!({"room": room, "text": "before"})).await;
    let said = |text: &str| Frame::Text(json!({"type": "event", "event": "said", "data": text}).to_string());
    let event = |frame: Frame| match frame {
        Frame::Text(text) => Frame::Text(serde_json::from_str::<Value>(&text).unwrap().to_string()),
        other => other,
    };
    assert_eq!(event(ben.next().await), said("before"));

    // Each answers its close: nobody is waited for.
    let stop = tokio::spawn(two.stop());
    assert_eq!(ben.next().await, Frame::Close(1001, "the service stops".into()));
    ben.frame(0x88, &1001_u16.to_be_bytes()).await;
    assert_eq!(ben.next().await, Frame::End);
    soon("the stop", stop).await.unwrap().unwrap();
    // Nobody of the other instance hears it, and nobody fails.
    assert_eq!(asked(&mut ada, "say", json!({"room": room, "text": "after"})).await["success"], true);
    let stop = tokio::spawn(one.stop());
    assert_eq!(ada.next().await, Frame::Close(1001, "the service stops".into()));
    drop(ada);
    soon("the stop", stop).await.unwrap().unwrap();
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn without_the_broker_sockets_of_the_same_instance_get_it() {
    let room = unique("room");
    let network = Proxy::to(&amqp_uri());
    let (one, two) = (instance(&network.uri(&amqp_uri())).await, instance(&amqp_uri()).await);
    let (mut ada, mut ben) = (joined(&one, &room).await, joined(&two, &room).await);
    network.hold(Direction::ToBroker);
    let failed = call(&mut ada, "try_to_say", json!({"room": room, "text": "one"})).await;
    assert_eq!(failed["data"], format!("{:?}", ErrorKind::Unavailable));
    assert_eq!(heard(&mut ada).await, "one");
    network.lose();
    // What was on its way is lost or late; what is said once the broker is back arrives, at both ends.
    let again = json!({"room": room, "text": "again"});
    let said = async { while call(&mut ada, "try_to_say", again.clone()).await["data"] != json!(null) {} };
    soon("the broker is back", said).await;
    while heard(&mut ben).await != "again" {}
    drop((ada, ben));
    one.stop().await.unwrap();
    two.stop().await.unwrap();
}
