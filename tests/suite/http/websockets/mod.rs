//! Websockets, through the client that has no socket of the system.

mod calls;
mod closing;
mod hub;
mod limits;

use kinoko::{
    AuthToken, Result,
    http::{Socket, WebSocketHub},
    prelude::*,
    testing::{RunningTestApp, TestApp},
};
use serde_json::{Value, json};

use super::gate::Gate;

#[derive(Debug, thiserror::Error, ServiceError)]
enum ChatError {
    #[error("room {room} is full")]
    #[fault(code = "FULL", retry = true)]
    Full { room: String },
}

#[derive(Dependencies)]
struct Chat {
    hub: WebSocketHub,
    gate: Gate,
}

#[service(name = "chat", http = "/chat")]
impl Chat {
    #[websocket]
    fn add(&self, a: i64, #[default(1)] b: i64) -> i64 {
        a + b
    }

    #[websocket]
    fn echo(&self, value: Value) -> Value {
        value
    }

    #[websocket(name = "enter")]
    fn join_room(&self, #[inject] socket: Socket, room: String) -> Result<Vec<String>, ChatError> {
        if room == "full" {
            return Err(ChatError::Full { room });
        }
        self.hub.subscribe(&socket, &room).expect("it is connected");
        Ok(self.hub.subscriptions(&socket))
    }

    #[websocket]
    fn leave(&self, #[inject] socket: Socket, room: String) -> Vec<String> {
        self.hub.unsubscribe(&socket, &room);
        self.hub.subscriptions(&socket)
    }

    #[websocket]
    #[rpc]
    async fn say(&self, room: String, text: String) -> Result<()> {
        self.hub.broadcast(&room, "said", &json!({"text": text})).await
    }

    #[websocket]
    async fn whisper(&self, to: String, text: String) -> Result<bool> {
        self.hub.unicast(&to, "whispered", &text).await
    }

    #[websocket]
    fn notify(&self, #[inject] socket: Socket, count: usize) -> Result<()> {
        (0..count).try_for_each(|number| socket.send("notice", &number))
    }

    #[websocket]
    async fn held(&self) -> &'static str {
        self.gate.pass().await;
        "let go"
    }

    #[websocket(timeout = "2s")]
    async fn slow(&self) {
        std::future::pending().await
    }

    #[websocket]
    fn broken(&self) -> Result<()> {
        Err(kinoko::Error::msg("the password is 1234"))
    }

    #[websocket]
    fn panics(&self) -> u32 {
        panic!("the password is 1234")
    }

    #[websocket]
    fn who(&self, #[inject] cx: WorkerContext, #[inject] token: AuthToken, #[inject] language: Language) -> Value {
        let id = cx.call_id().starts_with("chat.who.");
        json!([token.0, language.0, cx.trace_id(), cx.deadline().is_some(), id])
    }

    #[websocket]
    fn bye(&self, #[inject] socket: Socket) -> &'static str {
        socket.close();
        "bye"
    }

    #[websocket]
    #[rpc]
    fn perhaps(&self, #[inject] socket: Option<Socket>) -> Option<String> {
        socket.map(|socket| socket.id().to_owned())
    }

    #[rpc]
    fn no_socket(&self, #[inject] socket: Socket) -> String {
        socket.id().to_owned()
    }
}

const PATH: &str = "/chat/ws";

async fn started(gate: &Gate, settings: &str) -> RunningTestApp {
    TestApp::new().service::<Chat>().replace(gate.clone()).yaml(settings).start().await.unwrap()
}

async fn app() -> RunningTestApp {
    started(&Gate::default(), "").await
}
