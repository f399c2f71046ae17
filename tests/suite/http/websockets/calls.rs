//! Messages fire methods, and are answered in Nameko's shapes.

use kinoko::{CallError, testing::RunningTestApp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ChatClient, Gate, PATH, app, started};

/// The answer to one message.
async fn answer(app: &RunningTestApp, message: &Value) -> Value {
    let mut socket = app.websocket(PATH).await.unwrap();
    socket.send(message).await.unwrap();
    socket.next().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_message_fires_a_method_and_is_answered() {
    let app = app().await;
    let call = json!({"type": "rpc", "method": "add", "data": {"a": 1, "b": 2}, "correlation_id": "c-1"});
    let expected = json!({"type": "result", "success": true, "data": 3, "correlation_id": "c-1"});
    assert_eq!(answer(&app, &call).await, expected);
    // Nameko needs no more than the method.
    let expected = json!({"type": "result", "success": true, "data": 6, "correlation_id": null});
    assert_eq!(answer(&app, &json!({"method": "add", "data": {"a": 5}})).await, expected);
    let value = json!({"value": {"nested": [null, 1.5, "ä\n\"", {"correlation_id": 7}]}});
    let echoed = answer(&app, &json!({"method": "echo", "data": value, "correlation_id": {"any": [1]}})).await;
    assert_eq!((&echoed["data"], &echoed["correlation_id"]), (&value["value"], &json!({"any": [1]})));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_socket_begins_with_its_id() {
    let app = app().await;
    let (ada, ben) = (app.websocket(PATH).await.unwrap(), app.websocket(PATH).await.unwrap());
    assert_ne!(ada.id(), ben.id());
    assert_eq!(Uuid::parse_str(ada.id()).unwrap().get_version_num(), 4);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_told_as_nameko_tells_it() {
    let app = app().await;
    let expected = json!({"type": "result", "success": false, "correlation_id": 1, "error": {
        "exc_type": "MethodNotFound", "exc_path": "nameko.exceptions.MethodNotFound", "exc_args": ["nothing"],
        "value": "nothing",
    }});
    assert_eq!(answer(&app, &json!({"method": "nothing", "correlation_id": 1})).await, expected);
    // By its Rust name, and an RPC that is none of a socket's.
    for method in ["join_room", "no_socket"] {
        assert_eq!(answer(&app, &json!({"method": method})).await["error"]["exc_type"], "MethodNotFound");
    }
    for data in [json!({}), json!({"a": 1, "c": 2}), json!({"a": "one"}), json!([1]), json!("a")] {
        let answer = answer(&app, &json!({"method": "add", "data": data, "correlation_id": "c"})).await;
        assert_eq!(answer["error"]["exc_path"], "nameko.exceptions.IncorrectSignature", "{answer}");
        assert_eq!(answer["correlation_id"], "c");
    }
    let full = answer(&app, &json!({"method": "enter", "data": {"room": "full"}})).await;
    let error = &full["error"];
    assert_eq!((&error["code"], &error["data"]), (&json!("FULL"), &json!({"room": "full"})), "{full}");
    assert_eq!((&error["value"], &error["exc_args"]), (&json!("room full is full"), &json!(["room full is full"])));
    assert_eq!((&error["exc_type"], &error["retryable"]), (&json!("Full"), &json!(true)));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_internal_is_told_by_its_call_id_alone() {
    let app = app().await;
    for method in ["broken", "panics"] {
        let answer = answer(&app, &json!({"method": method})).await;
        let error = &answer["error"];
        assert_eq!(error["exc_type"], "InternalError");
        assert!(error["call_id"].as_str().unwrap().starts_with(&format!("chat.{method}.")), "{answer}");
        assert!(!answer.to_string().contains("1234"), "{answer}");
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_answered_and_the_socket_goes_on() {
    let app = app().await;
    let mut socket = app.websocket(PATH).await.unwrap();
    let deep = format!(r#"{{"method":"echo","data":{{"value":{}{}}}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    for (text, exc_type) in [
        ("", "MalformedRequest"),
        ("hello", "MalformedRequest"),
        ("[]", "MalformedRequest"),
        ("{}", "MalformedRequest"),
        (r#"{"method":7}"#, "MalformedRequest"),
        (r#"{"method":"echo","data":{"value":}}"#, "MalformedRequest"),
        (&deep, "MalformedRequest"),
    ] {
        socket.send_text(text).await.unwrap();
        let answer = socket.next().await.unwrap();
        assert_eq!((&answer["type"], &answer["success"]), (&json!("result"), &json!(false)));
        assert_eq!(answer["error"]["exc_type"], exc_type, "{text:.60}: {answer}");
    }
    socket.send_bytes(&b"\xff\xfe{"[..]).await.unwrap();
    assert_eq!(socket.next().await.unwrap()["error"]["exc_type"], "MalformedRequest");
    // Python reads JSON from bytes as well.
    socket.send_bytes(&br#"{"method":"add","data":{"a":1}}"#[..]).await.unwrap();
    assert_eq!(socket.next().await.unwrap()["data"], 2);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_context_is_that_of_the_request_which_opened_the_socket() {
    let app = app().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let socket = app.websocket(PATH).header("authorization", "Bearer abc").header("accept-language", "de");
    let mut socket = socket.header("traceparent", trace).await.unwrap();
    let answer = socket.call("who", &json!({})).await.unwrap();
    assert_eq!(answer["data"], json!(["abc", "de", &trace[3..35], true, true]), "{answer}");
    let mut stranger = app.websocket(PATH).await.unwrap();
    assert_eq!(stranger.call("who", &json!({})).await.unwrap()["success"], false);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_takes_too_long_is_dropped_and_its_caller_told() {
    let gate = Gate::default();
    let app = started(&gate, "").await;
    let mut socket = app.websocket(PATH).await.unwrap();
    let answer = socket.call("slow", &json!({})).await.unwrap();
    assert_eq!(answer["error"]["code"], "TIMEOUT");
    // Where the method has no limit of its own, that of requests holds.
    assert_eq!(socket.call("held", &json!({})).await.unwrap()["error"]["code"], "TIMEOUT");
    assert_eq!(gate.ends_of_methods(), ["slow Cancelled(DeadlinePassed)", "held Cancelled(DeadlinePassed)"]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_socket_do_not_wait_for_each_other() {
    let gate = Gate::default();
    let app = started(&gate, "").await;
    let mut socket = app.websocket(PATH).await.unwrap();
    socket.send(&json!({"method": "held", "correlation_id": "held"})).await.unwrap();
    gate.entered.notified().await;
    assert_eq!(socket.call("add", &json!({"a": 1})).await.unwrap()["data"], 2);
    gate.open.notify_one();
    assert_eq!(socket.next().await.unwrap()["correlation_id"], "held");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_a_socket_none_is_injected() {
    let app = app().await;
    let error = app.client::<ChatClient>().no_socket().await.unwrap_err();
    assert!(matches!(&error, CallError::Remote(fault) if fault.exc_type == "NoSocket"), "{error}");
    assert_eq!(app.client::<ChatClient>().perhaps().await.unwrap(), None);
    let mut socket = app.websocket(PATH).await.unwrap();
    let answer = socket.call("perhaps", &json!({})).await.unwrap();
    assert_eq!(answer["data"], socket.id());
    app.stop().await.unwrap();
}
