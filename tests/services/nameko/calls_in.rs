//! Python's clients call us.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use kinoko::{CallError, prelude::*, protocol::Value};
use kinoko_tests::{Python, amqp_uri};
use serde_json::json;

use super::with_both_namekos;

with_both_namekos! {
    arguments_come_by_place_by_name_and_by_default
    every_error_is_what_python_knows
    a_registered_exception_is_raised_with_the_variants_fields
    all_are_sent_before_the_first_is_awaited
    context_data_arrives
}

#[derive(Dependencies)]
struct Inbound {
    services: ServiceProxy,
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum InboundError {
    #[error("only {left} of {sku} left")]
    #[fault(path = "shop.exceptions.OutOfStock")]
    OutOfStock { sku: String, left: u32 },
    #[error("closed on Sundays")]
    Closed,
    #[error(transparent)]
    #[fault(forward)]
    Call(#[from] CallError<Infallible>),
}

#[service(name = "nameko_calls_in")]
impl Inbound {
    #[rpc]
    fn greet(&self, name: String, #[default("Hello")] greeting: String, note: Option<String>) -> String {
        format!("{greeting}, {name}{}", note.unwrap_or_default())
    }

    #[rpc]
    async fn wait(&self, millis: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        millis
    }

    #[rpc]
    fn sell(&self, sku: String) -> Result<u32, InboundError> {
        Err(InboundError::OutOfStock { sku, left: 2 })
    }

    #[rpc]
    fn open(&self) -> Result<u32, InboundError> {
        Err(InboundError::Closed)
    }

    #[rpc]
    fn broken(&self) -> kinoko::Result<u32> {
        Ok("eighty".parse::<u32>()?)
    }

    #[rpc]
    fn panics(&self) -> u32 {
        panic!("at the disco")
    }

    #[rpc]
    fn no_json(&self) -> HashMap<(u8, u8), u8> {
        HashMap::from([((1, 2), 3)])
    }

    #[rpc]
    async fn pass_on(&self, service: String, method: String) -> Result<Value, InboundError> {
        Ok(self.services.call(service, method).await?)
    }

    #[rpc]
    fn seen(&self, #[inject] cx: WorkerContext) -> Value {
        let data: HashMap<_, _> = cx.data().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        json!({"data": data, "stack": cx.call_id_stack(), "deadline": cx.deadline().is_some()})
    }
}

async fn serve() -> kinoko::RunningApp {
    App::new().broker(amqp_uri()).service::<Inbound>().start().await.unwrap()
}

fn call(method: &str, args: Value, kwargs: Value) -> Value {
    json!({"service": "nameko_calls_in", "method": method, "args": args, "kwargs": kwargs})
}

async fn arguments_come_by_place_by_name_and_by_default(python: Python) {
    let app = serve().await;
    let answers = python.calls_in_background(
        &[],
        vec![
            call("greet", json!(["Zoë"]), json!({})),
            call("greet", json!(["Ada", "Bye"]), json!({})),
            call("greet", json!(["Ada"]), json!({"note": "!", "greeting": "Oi"})),
            call("greet", json!([]), json!({"name": "\u{1f600}\n\"\\"})),
            call("greet", json!(["Ada", "Hi", null]), json!({})),
        ],
    );
    let expected = ["Hello, Zoë", "Bye, Ada", "Oi, Ada!", "Hello, \u{1f600}\n\"\\", "Hi, Ada"];
    assert_eq!(answers.await, expected.map(|text| json!({ "result": text })));
    app.stop().await.unwrap();
}

async fn every_error_is_what_python_knows(python: Python) {
    let app = serve().await;
    let _peer = python.serve("nameko_calls_in_peer");
    let remote = |exc_type: &str, text: &str| (format!("RemoteError {exc_type}"), format!("{exc_type} {text}"));
    let own = |class: &str, text: &str| (class.to_owned(), text.to_owned());
    let cases = [
        // Those that Nameko raises as themselves.
        (call("no_such", json!([]), json!({})), own("MethodNotFound", "no_such")),
        (call("greet", json!([]), json!({})), own("IncorrectSignature", "missing argument `name`")),
        (call("greet", json!(["a", "b", "c", "d"]), json!({})), own("IncorrectSignature", "takes 3 arguments, got 4")),
        (
            call("greet", json!(["Ada"]), json!({"name": "Ada"})),
            own("IncorrectSignature", "argument `name` given twice"),
        ),
        (
            call("greet", json!([]), json!({"nam": "Ada"})),
            own("IncorrectSignature", "unknown argument `nam`: did you mean `name`?"),
        ),
        (
            call("greet", json!([7]), json!({})),
            own("IncorrectSignature", "argument `name`: invalid type: integer `7`, expected a string"),
        ),
        // The others are RemoteErrors that name theirs.
        (call("sell", json!(["A-1"]), json!({})), remote("OutOfStock", "only 2 of A-1 left")),
        (call("open", json!([]), json!({})), remote("Closed", "closed on Sundays")),
        (call("broken", json!([]), json!({})), remote("InternalError", "invalid digit found in string")),
        (call("panics", json!([]), json!({})), remote("Panic", "at the disco")),
        (
            call("no_json", json!([]), json!({})),
            remote("UnserializableValueError", "Unserializable value: key must be a string"),
        ),
        (
            call("pass_on", json!(["nameko_nobody", "x"]), json!({})),
            remote("UnknownService", "no service `nameko_nobody`"),
        ),
        (call("pass_on", json!(["nameko_calls_in_peer", "fail"]), json!({})), remote("ValueError", "boom")),
    ];
    let (calls, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    for (answer, (class, text)) in python.calls_in_background(&[], calls).await.iter().zip(expected) {
        let error = &answer["error"];
        let named = match error["exc_type"].as_str() {
            Some(exc_type) => format!("{} {exc_type}", error["class"].as_str().unwrap()),
            None => error["class"].as_str().unwrap_or("no error").to_owned(),
        };
        assert_eq!((named, error["text"].as_str().unwrap_or_default()), (class, &*text), "{answer}");
    }
    app.stop().await.unwrap();
}

async fn a_registered_exception_is_raised_with_the_variants_fields(python: Python) {
    let app = serve().await;
    let answers = python
        .calls_in_background(
            &["--register", "shop.exceptions.OutOfStock"],
            vec![call("sell", json!(["A-1"]), json!({}))],
        )
        .await;
    let error = &answers[0]["error"];
    assert_eq!((&error["class"], &error["args"]), (&json!("OutOfStock"), &json!(["A-1", "2"])), "{error}");
    app.stop().await.unwrap();
}

async fn all_are_sent_before_the_first_is_awaited(python: Python) {
    let app = serve().await;
    // The answers come in the other order than they are asked for.
    let waits = [400, 200, 0];
    let calls = waits.map(|millis| call("wait", json!([millis]), json!({}))).to_vec();
    let answers = python.calls_in_background(&["--async"], calls).await;
    assert_eq!(answers, waits.map(|millis| json!({ "result": millis })));
    app.stop().await.unwrap();
}

async fn context_data_arrives(python: Python) {
    let app = serve().await;
    let context =
        json!({"language": "de", "user_id": 7, "auth_token": "é", "tags": ["a", {"b": [true, 1.5]}], "gone": null});
    let seen = python
        .calls_in_background(&["--context", &context.to_string()], vec![call("seen", json!([]), json!({}))])
        .await
        .remove(0);
    let seen = &seen["result"];
    let mut expected = context;
    expected.as_object_mut().unwrap().remove("gone");
    assert_eq!(seen["data"], expected);
    let stack: Vec<_> = seen["stack"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(stack.len(), 2, "{stack:?}");
    assert!(stack[0].starts_with("standalone_rpc_") && stack[1].starts_with("nameko_calls_in.seen."), "{stack:?}");
    assert_eq!(seen["deadline"], false, "Python sends none");
    app.stop().await.unwrap();
}
