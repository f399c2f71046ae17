//! Channels, and events to one socket; in one instance and across several.

use kinoko::testing::{RunningTestApp, TestApp};
use kinoko_tests::unique;
use serde_json::{Value, json};

use super::{Chat, ChatClient, Gate, PATH, app};

fn said(text: &str) -> Value {
    json!({"type": "event", "event": "said", "data": {"text": text}})
}

#[tokio::test(start_paused = true)]
async fn who_is_subscribed_gets_what_is_broadcast() {
    let app = app().await;
    let mut ada = app.websocket(PATH).await.unwrap();
    let mut ben = app.websocket(PATH).await.unwrap();
    assert_eq!(ada.call("enter", &json!({"room": "tea"})).await.unwrap()["data"], json!(["tea"]));
    assert_eq!(ada.call("enter", &json!({"room": "ale"})).await.unwrap()["data"], json!(["ale", "tea"]));
    // A second time changes nothing.
    assert_eq!(ada.call("enter", &json!({"room": "tea"})).await.unwrap()["data"], json!(["ale", "tea"]));
    ben.call("enter", &json!({"room": "ale"})).await.unwrap();
    ben.call("say", &json!({"room": "tea", "text": "one"})).await.unwrap();
    // From elsewhere than a socket.
    app.client::<ChatClient>().say("ale".into(), "two".into()).await.unwrap();
    assert_eq!((ada.next().await.unwrap(), ada.next().await.unwrap()), (said("one"), said("two")));
    assert_eq!(ben.next().await.unwrap(), said("two"));

    assert_eq!(ada.call("leave", &json!({"room": "tea"})).await.unwrap()["data"], json!(["ale"]));
    assert_eq!(ada.call("leave", &json!({"room": "never joined"})).await.unwrap()["data"], json!(["ale"]));
    ben.call("say", &json!({"room": "tea", "text": "nobody hears it"})).await.unwrap();
    ben.call("say", &json!({"room": "ale", "text": "three"})).await.unwrap();
    assert_eq!(ada.next().await.unwrap(), said("three"));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_event_goes_to_one_socket_by_its_id() {
    let app = app().await;
    let mut ada = app.websocket(PATH).await.unwrap();
    let mut ben = app.websocket(PATH).await.unwrap();
    let to_ben = json!({"to": ben.id(), "text": "psst"});
    assert_eq!(ada.call("whisper", &to_ben).await.unwrap()["data"], true);
    assert_eq!(ben.next().await.unwrap(), json!({"type": "event", "event": "whispered", "data": "psst"}));
    ben.close().await.unwrap();
    for nobody in [to_ben, json!({"to": "nobody", "text": ""}), json!({"to": uuid::Uuid::new_v4(), "text": ""})] {
        assert_eq!(ada.call("whisper", &nobody).await.unwrap()["data"], false);
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_method_sends_events_before_its_answer() {
    let app = app().await;
    let mut socket = app.websocket(PATH).await.unwrap();
    socket.send(&json!({"method": "notify", "data": {"count": 3}})).await.unwrap();
    for number in 0..3 {
        assert_eq!(socket.next().await.unwrap()["data"], number);
    }
    assert_eq!(socket.next().await.unwrap()["type"], "result");
    app.stop().await.unwrap();
}

async fn instance(broker: &str) -> RunningTestApp {
    TestApp::new().service::<Chat>().replace(Gate::default()).broker(broker).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn sockets_of_other_instances_get_them_too() {
    let broker = format!("memory://{}", unique("sockets"));
    let (one, two) = (instance(&broker).await, instance(&broker).await);
    let mut ada = one.websocket(PATH).await.unwrap();
    let mut ben = two.websocket(PATH).await.unwrap();
    for socket in [&mut ada, &mut ben] {
        socket.call("enter", &json!({"room": "tea"})).await.unwrap();
    }
    for text in ["one", "two"] {
        ada.call("say", &json!({"room": "tea", "text": text})).await.unwrap();
    }
    for socket in [&mut ada, &mut ben] {
        assert_eq!((socket.next().await.unwrap(), socket.next().await.unwrap()), (said("one"), said("two")));
    }
    let to_ben = json!({"to": ben.id(), "text": "psst"});
    assert_eq!(ada.call("whisper", &to_ben).await.unwrap()["data"], true);
    // Each came once: this is next.
    assert_eq!(ben.next().await.unwrap()["data"], "psst");
    two.stop().await.unwrap();
    assert_eq!(ada.call("whisper", &to_ben).await.unwrap()["data"], false);
    ada.call("say", &json!({"room": "tea", "text": "three"})).await.unwrap();
    assert_eq!(ada.next().await.unwrap(), said("three"));
    one.stop().await.unwrap();
}
