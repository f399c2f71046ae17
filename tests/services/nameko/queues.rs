//! Queues that are nobody's events: Nameko's `Publisher` and `consume`, and ours.

use kinoko::{Publisher, event::RawDelivery, prelude::*};
use kinoko_tests::{Python, Raw, amqp_uri};
use serde_json::{Value, json};

use super::{
    instance::{Instance, Test, clean},
    with_both_namekos,
};

with_both_namekos! {
    what_python_publishes_is_consumed
    what_we_publish_is_consumed_by_python
    consumers_of_both_kinds_share_a_queue_that_either_declares
}

const PEER: &str = "nameko_queues_peer";
const EXCHANGE: &str = "nameko_queues_exchange";

const QUEUES: [&str; 2] = ["nameko_queues_jobs", "nameko_queues_shared"];

#[derive(Dependencies)]
struct Jobs {
    test: Test,
}

#[service(name = "nameko_queues")]
impl Jobs {
    #[consume("nameko_queues_jobs", exchange = "nameko_queues_exchange", kind = "topic", routing_key = "job.*")]
    fn job(&self, message: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, message);
        let properties = message.properties();
        let header = message.headers().get("x-count").cloned();
        self.test.read(
            &cx,
            json!({
                "exchange": message.exchange(), "content_type": properties.content_type.as_deref(),
                "content_encoding": properties.content_encoding.as_deref(), "correlation_id": properties.correlation_id.as_deref(),
                "reply_to": properties.reply_to.as_deref(), "expiration": properties.expiration.map(|left| left.as_millis()),
                "message_id": properties.message_id.as_deref(), "priority": properties.priority,
                "persistent": properties.persistent, "type": properties.kind.as_deref(), "app_id": properties.app_id.as_deref(),
                "x-count": header,
            }),
        );
    }
}

#[derive(Dependencies)]
struct Sharing {
    test: Test,
}

#[service(name = "nameko_queues_sharing")]
impl Sharing {
    #[consume("nameko_queues_shared", exchange = "nameko_queues_exchange", kind = "topic", routing_key = "shared.#")]
    fn job(&self, message: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, message);
    }
}

fn consumer(queue: &str, routing_key: &str) -> Value {
    json!([{"method": "job", "queue": queue, "exchange": [EXCHANGE, "topic"], "routing_key": routing_key}])
}

async fn start_anew() {
    clean(&QUEUES, &[PEER]).await;
    Raw::connect(&amqp_uri()).await.delete_exchange(EXCHANGE).await;
}

async fn what_python_publishes_is_consumed(python: Python) {
    start_anew().await;
    let mut ours = Instance::of::<Jobs>().await;
    let peer = python.handle(PEER, json!([])).await;
    let proxy = ours.app.proxy();
    let send =
        |payload: Value, options: Value| proxy.call(PEER, "send").arg(payload).arg(options).context("language", "de");
    send(json!({"n": [1, "é"]}), json!({"exchange": EXCHANGE, "routing_key": "job.print"})).await.unwrap();
    let told = ours.next().await;
    assert_eq!((told.payload, &*told.routing_key), (json!({"n": [1, "é"]}), "job.print"));
    assert_eq!(told.context, [("language".to_owned(), json!("de"))].into());
    assert_eq!(told.stack.len(), 3, "the caller, Python's method, ours: {:?}", told.stack);
    let usual = json!({
        "exchange": EXCHANGE, "content_type": "application/json", "content_encoding": "utf-8", "correlation_id": null,
        "reply_to": null, "expiration": null, "message_id": null, "priority": 0, "persistent": true, "type": null, "app_id": null,
        "x-count": null,
    });
    assert_eq!(ours.next().await.payload, usual);

    // By the default exchange, with all that Python can say. kombu takes seconds.
    let options = json!({
        "routing_key": "nameko_queues_jobs", "priority": 3, "expiration": 30, "headers": {"x-count": 7}, "correlation_id": "c",
        "reply_to": "r", "message_id": "m", "type": "t", "app_id": "a", "delivery_mode": 1,
    });
    send(json!(null), options).await.unwrap();
    let told = ours.next().await;
    assert_eq!((told.payload, &*told.routing_key), (json!(null), "nameko_queues_jobs"));
    let all = json!({
        "exchange": "", "content_type": "application/json", "content_encoding": "utf-8", "correlation_id": "c", "reply_to": "r",
        "expiration": 30000, "message_id": "m", "priority": 3, "persistent": false, "type": "t", "app_id": "a", "x-count": 7,
    });
    assert_eq!(ours.next().await.payload, all);
    ours.stop().await;
    peer.stop().await;
    start_anew().await;
}

#[derive(Dependencies)]
struct Sender {
    #[dependency(exchange = "nameko_queues_exchange", kind = "topic", declare = true)]
    jobs: Publisher,
}

#[service(name = "nameko_queues_sender")]
impl Sender {
    #[rpc]
    async fn send(&self, routing_key: String, payload: Value) -> kinoko::Result<()> {
        let job = self.jobs.publish(&payload).routing_key(routing_key);
        job.header("x-count", 7).expiration("1h").priority(3).await?;
        Ok(())
    }
}

async fn what_we_publish_is_consumed_by_python(python: Python) {
    start_anew().await;
    // Both declare the exchange.
    let app = App::new().broker(amqp_uri()).service::<Sender>().start().await.unwrap();
    let mut peer = python.handle(PEER, consumer("nameko_queues_jobs", "job.*")).await;
    let send = |key: &'static str, payload: Value| {
        app.proxy().call("nameko_queues_sender", "send").arg(key).arg(payload).context("language", "fr")
    };
    send("job.print", json!({"n": [1, "é", null]})).await.unwrap();
    let told = peer.next().await;
    assert_eq!(told["payload"], "{'n': [1, 'é', None]}");
    let context = &told["context"];
    assert_eq!((&context["language"], &context["x-count"]), (&json!("fr"), &json!(7)), "all headers are context there");
    assert_eq!(context["call_id_stack"].as_array().unwrap().len(), 3, "the caller, our method, its own: {context}");
    assert!(send("other", json!(1)).await.unwrap_err().to_string().contains("leads to no queue"));

    let publisher = Publisher::connect(&amqp_uri()).await.unwrap();
    publisher.publish(&1.5).to_queue("nameko_queues_jobs").await.unwrap();
    assert_eq!(peer.next().await["payload"], "1.5");
    // kombu hands on the text of it.
    publisher.publish_bytes("application/data", "{not json").to_queue("nameko_queues_jobs").await.unwrap();
    assert_eq!(peer.next().await["payload"], "'{not json'");
    assert!(peer.stop().await.is_empty());
    publisher.close().await;

    // What else is on the wire.
    send("job.print", json!("x")).await.unwrap();
    let (properties, body) = Raw::connect(&amqp_uri()).await.next("nameko_queues_jobs").await;
    assert_eq!(body, b"\"x\"");
    let text = |text: &Option<lapin::types::ShortString>| text.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(text(properties.content_type()), "application/json");
    assert_eq!(text(properties.content_encoding()), "utf-8");
    assert_eq!(text(properties.expiration()), "3600000");
    assert_eq!((properties.delivery_mode(), properties.priority()), (&Some(2), &Some(3)));
    app.stop().await.unwrap();
    start_anew().await;
}

async fn consumers_of_both_kinds_share_a_queue_that_either_declares(python: Python) {
    const COUNT: usize = 40;
    for python_first in [true, false] {
        start_anew().await;
        let theirs = || python.handle(PEER, consumer("nameko_queues_shared", "shared.#"));
        let (mut ours, mut theirs) = if python_first {
            let theirs = theirs().await;
            (Instance::of::<Sharing>().await, theirs)
        } else {
            (Instance::of::<Sharing>().await, theirs().await)
        };
        let publisher = Publisher::connect(&amqp_uri()).await.unwrap();
        for number in 0..COUNT {
            publisher.publish(&number).to_exchange(EXCHANGE, "shared.a.b").await.unwrap();
        }
        publisher.close().await;
        let (mut by_rust, mut by_python) = (Vec::new(), Vec::new());
        for _ in 0..COUNT {
            tokio::select! {
                told = ours.next() => by_rust.push(told.payload.as_u64().unwrap() as usize),
                told = theirs.next() => by_python.push(told["payload"].as_str().unwrap().parse().unwrap()),
            }
        }
        assert!(!by_rust.is_empty() && !by_python.is_empty(), "{by_rust:?}, {by_python:?}");
        let mut all = [by_rust, by_python].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..COUNT), "each once");
        assert!(ours.stop().await.is_empty() && theirs.stop().await.is_empty());
    }
    start_anew().await;
}
