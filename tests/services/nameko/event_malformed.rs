//! Events that no program of Nameko's sends, byte by byte.

use kinoko::prelude::*;
use kinoko_tests::{Raw, amqp_uri};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use serde::Deserialize;
use serde_json::json;

use super::instance::{Instance, Test, clean};

const SOURCE: &str = "nameko_malformed_source";
const QUEUE: &str = "evt-nameko_malformed_source-made--nameko_malformed.made";

#[derive(Dependencies)]
struct Malformed {
    test: Test,
}

#[derive(Deserialize)]
struct Order {
    id: u32,
}

#[service(name = "nameko_malformed")]
impl Malformed {
    #[event_handler("nameko_malformed_source", "made")]
    fn made(&self, order: Order, #[inject] cx: WorkerContext) {
        self.test.read(&cx, order.id);
    }
}

fn json() -> BasicProperties {
    BasicProperties::default().with_content_type("application/json".into())
}

fn with_headers(headers: impl IntoIterator<Item = (&'static str, AMQPValue)>) -> BasicProperties {
    let mut table = FieldTable::default();
    for (key, value) in headers {
        table.insert(key.into(), value);
    }
    json().with_headers(table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn each_malformed_event_becomes_a_dead_letter_and_ends_nothing() {
    clean(&[QUEUE], &[SOURCE]).await;
    let mut ours = Instance::of::<Malformed>().await;
    let raw = Raw::connect(&amqp_uri()).await;
    let good = br#"{"id": 7}"#;
    let compressed = AMQPValue::LongString("application/x-gzip".into());
    let cases: [(&[u8], BasicProperties, &str); 10] = [
        (good, BasicProperties::default(), "the message has no content type"),
        (good, json().with_content_type("application/x-yaml".into()), "no codec for content type `application/x-yaml`"),
        (good, json().with_content_type("\u{1f600}".into()), "no codec for content type `\u{1f600}`"),
        (good, with_headers([("compression", compressed)]), "the body is compressed: send it without `compression`"),
        (b"", json(), "EOF while parsing a value at line 1 column 0"),
        (b"{\"id\": 7", json(), "EOF while parsing an object at line 1 column 8"),
        (b"\xff\xfe", json(), "expected value at line 1 column 1"),
        (b"{\"id\": \"seven\"}", json(), "invalid type: string \"seven\", expected u32"),
        (b"null", json(), "invalid type: null, expected struct Order"),
        (b"{}", json(), "missing field `id`"),
    ];
    for (body, properties, error) in cases {
        assert!(raw.publish_to("nameko_malformed_source.events", "made", body, properties.clone()).await);
        let (dead, kept) = raw.next(&format!("kinoko.dead-{QUEUE}")).await;
        assert_eq!(kept, body, "as it came");
        assert_eq!(dead.content_type(), properties.content_type());
        let headers = dead.headers().as_ref().unwrap().inner();
        let text = |name: &str| match headers.get(name) {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            other => panic!("{name}: {other:?}"),
        };
        assert!(text("kinoko.dead.error").contains(error), "{}, expected {error}", text("kinoko.dead.error"));
        for (name, expected) in [
            ("kinoko.dead.reason", "malformed"),
            ("kinoko.dead.queue", QUEUE),
            ("kinoko.dead.exchange", "nameko_malformed_source.events"),
            ("kinoko.dead.routing_key", "made"),
            ("kinoko.dead.service", "nameko_malformed"),
            ("kinoko.dead.method", "made"),
        ] {
            assert_eq!(text(name), expected, "{name}");
        }
    }
    assert!(ours.ready().is_none(), "none of them reached the handler");
    assert!(raw.publish_to("nameko_malformed_source.events", "made", good, json()).await);
    assert_eq!(ours.next().await.payload, 7, "the service lives on");
    ours.stop().await;
    clean(&[QUEUE], &[SOURCE]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn what_an_event_may_lack_it_lacks() {
    const QUEUE: &str = "evt-nameko_lacking_source-made--nameko_lacking.made";
    #[derive(Dependencies)]
    struct Lacking {
        test: Test,
    }

    #[service(name = "nameko_lacking")]
    impl Lacking {
        #[event_handler("nameko_lacking_source", "made")]
        fn made(&self, order: Order, #[inject] cx: WorkerContext) {
            self.test.read(&cx, order.id);
        }
    }

    clean(&[QUEUE], &["nameko_lacking_source"]).await;
    let mut ours = Instance::of::<Lacking>().await;
    let raw = Raw::connect(&amqp_uri()).await;
    let text = |text: &str| AMQPValue::LongString(text.into());
    for (number, properties) in [
        json(),
        json().with_content_type("application/json; charset=utf-8".into()),
        json().with_content_encoding("binary".into()),
        with_headers([("nameko.call_id_stack", AMQPValue::Void)]),
        with_headers([("nameko.call_id_stack", text("a.b.c"))]),
        with_headers([("nameko.call_id_stack", AMQPValue::LongInt(7))]),
        with_headers([("compression", AMQPValue::Void), ("nameko.language", AMQPValue::Void)]),
        with_headers([("kinoko.attempt", text("many")), ("kinoko.exchange", AMQPValue::LongInt(7))]),
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!("{{\"id\": {number}, \"more\": 1}}");
        assert!(raw.publish_to("nameko_lacking_source.events", "made", body.as_bytes(), properties).await);
        let told = ours.next().await;
        assert_eq!((told.payload, told.attempt), (json!(number), 1));
        assert!(told.stack.last().unwrap().starts_with("nameko_lacking.made."), "{:?}", told.stack);
    }
    ours.stop().await;
    clean(&[QUEUE], &["nameko_lacking_source"]).await;
}
