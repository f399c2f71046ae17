//! Messages that no Nameko program sends: each gets an answer where there is somewhere to send it, none ends the service, none
//! comes back for ever.

use kinoko::{
    CallError, Client,
    prelude::*,
    protocol::Value,
    transport::{TransportOptions, connect},
};
use kinoko_tests::{Raw, amqp_uri, eventually, unique};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldArray, FieldTable},
};
use serde_json::json;
use std::time::Duration;

#[derive(Dependencies)]
struct Malformed;

#[service(name = "nameko_malformed")]
impl Malformed {
    #[rpc]
    fn echo(&self, value: String) -> String {
        value
    }

    #[rpc]
    fn parents(&self, #[inject] cx: WorkerContext) -> Vec<String> {
        cx.parent_call_ids()
    }

    #[rpc]
    fn context(&self, #[inject] cx: WorkerContext) -> Vec<String> {
        cx.data().map(|(key, _)| key.to_owned()).collect()
    }
}

/// One test at a time serves the name, so that its queue tells about that test.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const QUEUE: &str = "rpc-nameko_malformed";
const REQUEST: &str = r#"{"args": ["hi"], "kwargs": {}}"#;
const NOTHING: &str = r#"{"args": [], "kwargs": {}}"#;

/// A client that speaks AMQP and nothing else, with a queue for the replies.
struct Caller {
    raw: Raw,
    replies: String,
}

impl Caller {
    async fn new() -> Self {
        let raw = Raw::connect(&amqp_uri()).await;
        let replies = unique("rpc.reply-malformed");
        raw.bound_queue(&replies, "nameko-rpc", &replies).await;
        Self { raw, replies }
    }

    /// Everything that a request has.
    fn properties(&self) -> BasicProperties {
        BasicProperties::default()
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_correlation_id("one".into())
            .with_reply_to(self.replies.as_str().into())
    }

    async fn send(&self, exchange: &str, routing_key: &str, body: &[u8], properties: BasicProperties) {
        assert!(self.raw.publish_to(exchange, routing_key, body, properties).await, "a queue takes it");
    }

    /// Publishes a request and gives the reply.
    async fn ask(&self, method: &str, body: &[u8], properties: BasicProperties) -> (BasicProperties, Value) {
        self.send("nameko-rpc", &format!("nameko_malformed.{method}"), body, properties).await;
        self.reply().await
    }

    async fn reply(&self) -> (BasicProperties, Value) {
        let (properties, body) = self.raw.next(&self.replies).await;
        assert_eq!(properties.content_type().as_ref().map(|text| text.as_str()), Some("application/json"));
        (properties, serde_json::from_slice(&body).unwrap())
    }
}

fn header(name: &str, value: AMQPValue) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(name.into(), value);
    table
}

/// Nothing waits, and the one consumer is there.
async fn settled() {
    let transport = connect(&amqp_uri(), TransportOptions::default()).await.unwrap();
    eventually(Duration::from_secs(20), "an empty queue", || async {
        let status = transport.queue_status(&QUEUE.into()).await.unwrap().unwrap();
        (status.messages == 0 && status.consumers == 1).then_some(())
    })
    .await;
    transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn each_malformed_request_is_answered_once_and_ends_nothing() {
    let _turn = TURN.lock().await;
    let app = App::new().broker(amqp_uri()).service::<Malformed>().start().await.unwrap();
    let caller = Caller::new().await;
    let deep = [r#"{"args": ["#, &"[".repeat(100_000)].concat();
    let full = || caller.properties();
    let untyped =
        || BasicProperties::default().with_correlation_id("one".into()).with_reply_to(caller.replies.as_str().into());
    let malformed = [
        (REQUEST.as_bytes(), untyped(), "the request has no content type"),
        (
            REQUEST.as_bytes(),
            full().with_content_type("application/x-yaml".into()),
            "no codec for content type `application/x-yaml`",
        ),
        (
            b"\x1f\x8b",
            full().with_headers(header("compression", AMQPValue::LongString("application/x-gzip".into()))),
            "the body is compressed: send it without `compression`",
        ),
        (b"", full(), "EOF while parsing a value at line 1 column 0"),
        (b"{", full(), "EOF while parsing an object at line 1 column 1"),
        (b"hello", full(), "expected value at line 1 column 1"),
        (b"{\"args\": [\"\xff\"], \"kwargs\": {}}", full(), "invalid unicode code point at line 1 column 12"),
        (deep.as_bytes(), full(), "the body nests deeper than 100 levels"),
        (b"[]", full(), "the body must be a map with `args` and `kwargs`"),
        (b"null", full(), "the body must be a map with `args` and `kwargs`"),
        (b"\"text\"", full(), "the body must be a map with `args` and `kwargs`"),
        (b"{}", full(), "message missing `args` or `kwargs`"),
        (br#"{"args": ["hi"]}"#, full(), "message missing `args` or `kwargs`"),
    ];
    for (body, properties, text) in malformed {
        let (_, reply) = caller.ask("echo", body, properties).await;
        let error = json!({
            "exc_type": "MalformedRequest", "exc_path": "nameko.exceptions.MalformedRequest", "exc_args": [text], "value": text
        });
        assert_eq!(reply, json!({"result": null, "error": error}));
    }
    let misfits = [
        (r#"{"args": null, "kwargs": {}}"#, "`args` must be a list"),
        (r#"{"args": "hi", "kwargs": {}}"#, "`args` must be a list"),
        (r#"{"args": ["hi"], "kwargs": null}"#, "`kwargs` must be a map"),
        (r#"{"args": ["hi"], "kwargs": []}"#, "`kwargs` must be a map"),
    ];
    for (body, text) in misfits {
        let (_, reply) = caller.ask("echo", body.as_bytes(), full()).await;
        assert_eq!(
            (&reply["error"]["exc_type"], &reply["error"]["value"]),
            (&json!("IncorrectSignature"), &json!(text))
        );
    }
    settled().await;
    assert_eq!(app.client::<MalformedClient>().echo("alive".into()).await.unwrap(), "alive");
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn what_a_request_may_lack_it_lacks() {
    let _turn = TURN.lock().await;
    let app = App::new().broker(amqp_uri()).service::<Malformed>().start().await.unwrap();
    let caller = Caller::new().await;
    let full = || caller.properties();
    // Nobody to tell, or somebody who is nowhere: done all the same, and acknowledged.
    let nobody = BasicProperties::default().with_content_type("application/json".into());
    caller.send("nameko-rpc", "nameko_malformed.echo", REQUEST.as_bytes(), nobody.clone()).await;
    caller.send("nameko-rpc", "nameko_malformed.echo", b"hello", nobody.clone()).await;
    caller.send("nameko-rpc", "nameko_malformed.echo", REQUEST.as_bytes(), nobody.with_reply_to("gone".into())).await;
    caller.send("nameko-rpc", "nameko_malformed.echo", REQUEST.as_bytes(), BasicProperties::default()).await;

    let done = json!({"result": "hi", "error": null});
    let anonymous = BasicProperties::default()
        .with_content_type("application/json; charset=utf-8".into())
        .with_reply_to(caller.replies.as_str().into());
    let (properties, reply) = caller.ask("echo", REQUEST.as_bytes(), anonymous).await;
    assert_eq!((properties.correlation_id(), reply), (&None, done.clone()));

    let odd = full().with_content_encoding("binary".into()).with_timestamp(u64::MAX).with_priority(9);
    let (properties, reply) = caller.ask("echo", REQUEST.as_bytes(), odd).await;
    assert_eq!((properties.correlation_id().as_ref().map(|id| id.as_str()), reply), (Some("one"), done));

    let (_, reply) = caller.ask("", REQUEST.as_bytes(), full()).await;
    assert_eq!(reply["error"]["exc_type"], "MethodNotFound");
    settled().await;
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_call_id_stack_of_any_kind_is_survived() {
    let _turn = TURN.lock().await;
    let app = App::new().broker(amqp_uri()).service::<Malformed>().start().await.unwrap();
    let caller = Caller::new().await;
    let text = |text: &str| AMQPValue::LongString(text.into());
    for (stack, expected) in [
        (AMQPValue::Void, json!([])),
        (text("a.b.c"), json!([])),
        (AMQPValue::LongInt(7), json!([])),
        (AMQPValue::FieldTable(FieldTable::default()), json!([])),
        (AMQPValue::FieldArray(FieldArray::from(vec![text("a"), AMQPValue::Void, text("b")])), json!(["a", "b"])),
    ] {
        let properties = caller.properties().with_headers(header("nameko.call_id_stack", stack));
        let (_, reply) = caller.ask("parents", NOTHING.as_bytes(), properties).await;
        assert_eq!(reply, json!({"result": expected, "error": null}));
    }
    settled().await;
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_request_that_nameko_amqp_retry_sends_again_finds_its_method() {
    let _turn = TURN.lock().await;
    let app = App::new().broker(amqp_uri()).service::<Malformed>().start().await.unwrap();
    let caller = Caller::new().await;
    let retried = |key: &str| {
        let mut headers = header("nameko.rpc_method_id", AMQPValue::LongString(key.into()));
        headers.insert("backoff".into(), AMQPValue::LongInt(1000));
        headers.insert("nameko.language".into(), AMQPValue::LongString("de".into()));
        caller.properties().with_headers(headers)
    };
    // Dead-lettered through the default exchange: the routing key is the queue.
    caller.send("", QUEUE, NOTHING.as_bytes(), retried("nameko_malformed.context")).await;
    let (_, reply) = caller.reply().await;
    assert_eq!(reply, json!({"result": ["language"], "error": null}), "the header itself passes on to nobody");
    for properties in [retried("nameko_other.context"), retried("context"), caller.properties()] {
        caller.send("", QUEUE, NOTHING.as_bytes(), properties).await;
        let (_, reply) = caller.reply().await;
        assert_eq!((&reply["error"]["exc_type"], &reply["error"]["value"]), (&json!("MethodNotFound"), &json!(QUEUE)));
    }
    // A routing key of Nameko's own tells more than a header that came along.
    let (_, reply) = caller.ask("echo", REQUEST.as_bytes(), retried("nameko_malformed.context")).await;
    assert_eq!(reply["result"], "hi");
    settled().await;
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn replies_that_nobody_can_read_end_the_call_at_once() {
    let client = Client::connect(&amqp_uri()).await.unwrap();
    // Declares the exchange.
    let _ = client.proxy().call("nameko_nobody", "x").await;
    let service = unique("nameko_bad_replies");
    let raw = Raw::connect(&amqp_uri()).await;
    raw.bound_queue(&format!("rpc-{service}"), "nameko-rpc", &format!("{service}.*")).await;
    let json = || BasicProperties::default().with_content_type("application/json".into());
    let cases: [(&str, BasicProperties, Result<Value, &str>); 8] = [
        (r#"{"result": 1, "error": null}"#, json(), Ok(json!(1))),
        (r#"{"result": 1}"#, BasicProperties::default(), Ok(json!(1))),
        (r#"{"result": 1, "error": null, "more": 2}"#, json().with_content_encoding("binary".into()), Ok(json!(1))),
        ("{}", json(), Err("missing field `result`")),
        ("[]", json(), Err("invalid type: sequence, expected a reply with `result` and `error`")),
        ("", json(), Err("EOF while parsing a value at line 1 column 0")),
        (r#"{"result": null, "error": "boom"}"#, json(), Err("invalid type: string \"boom\", expected struct Fault")),
        (
            "!!python",
            json().with_content_type("application/x-yaml".into()),
            Err("its content type `application/x-yaml` is of no codec that this program has"),
        ),
    ];
    for (body, properties, expected) in cases {
        let pending = client.proxy().call(&*service, "x").send();
        let answer = async {
            let (request, _) = raw.next(&format!("rpc-{service}")).await;
            let properties = properties.with_correlation_id(request.correlation_id().clone().unwrap());
            raw.publish_to("nameko-rpc", request.reply_to().as_ref().unwrap().as_str(), body.as_bytes(), properties)
                .await
        };
        let (reply, took) = tokio::join!(async { pending.await.unwrap().await }, answer);
        assert!(took, "the reply queue takes it");
        match (reply, expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, expected, "{body}"),
            (Err(CallError::BadReply(text)), Err(expected)) => assert!(text.contains(expected), "{body}: {text}"),
            (reply, _) => panic!("{body}: {reply:?}"),
        }
    }
    client.close().await;
}
