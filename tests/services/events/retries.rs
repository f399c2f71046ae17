use std::time::Duration;

use kinoko::{prelude::*, protocol::delivery_headers as headers, testing::TestApp};
use kinoko_tests::amqp_uri;
use lapin::types::AMQPValue;

use super::{Entries, Journal, outside, properties};

#[derive(Dependencies)]
struct Failing {
    journal: Journal,
}

#[service(name = "broker_retries")]
impl Failing {
    #[event_handler("broker_retries", "quorum", retry(max = 3, backoff = "300ms..450ms", jitter = false))]
    async fn on_quorum(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        self.note("quorum", &cx, raw)
    }

    #[event_handler("broker_retries", "classic", retry(max = 3, backoff = "300ms..450ms", jitter = false))]
    async fn on_classic(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        self.note("classic", &cx, raw)
    }
}

impl Failing {
    fn note(&self, which: &str, cx: &WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        let (exchange, key, body) = (raw.exchange(), raw.routing_key(), raw.decode::<String>()?);
        self.journal.note(format!("{which} {} {exchange} {key} {body}", cx.attempt()));
        if body == "poison" { Err(kinoko::Error::msg("it is poison")) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn the_broker_keeps_what_is_tried_again() {
    let queues = ["quorum", "classic"].map(|name| format!("evt-broker_retries-{name}--broker_retries.on_{name}"));
    let raw = outside(&[&queues[0], &queues[1]]).await;
    // As a Python instance has declared it before.
    raw.declare_queue(&queues[1], &[]).await;
    let (journal, mut entries) = Journal::new();
    let app = TestApp::new().broker(amqp_uri()).service::<Failing>().replace(journal).start().await.unwrap();
    for (name, queue) in ["quorum", "classic"].into_iter().zip(&queues) {
        assert!(raw.publish_to("broker_retries.events", name, br#""poison""#, properties()).await);
        attempts(&raw, &mut entries, name, queue).await;
    }
    app.stop().await.unwrap();
    let raw = outside(&[]).await;
    // Both queues exist as they were declared, and nothing is left in them.
    for queue in &queues {
        raw.delete_queue(queue).await;
        raw.delete_queue(&format!("kinoko.dead-{queue}")).await;
    }
}

async fn attempts(raw: &kinoko_tests::Raw, entries: &mut Entries, name: &str, queue: &str) {
    let (first, mut last) = entries.next().await;
    assert_eq!(first, format!("{name} 1 broker_retries.events {name} poison"));
    raw.publish_to("broker_retries.events", name, br#""neighbour""#, properties()).await;
    let (neighbour, at) = entries.next().await;
    assert_eq!(neighbour, format!("{name} 1 broker_retries.events {name} neighbour"));
    assert!(at - last < Duration::from_millis(300), "it has not waited");
    for (attempt, delay) in [(2, 300), (3, 450)] {
        let (next, at) = entries.next().await;
        assert_eq!(next, format!("{name} {attempt} broker_retries.events {name} poison"));
        let waited = at - last;
        assert!(waited >= Duration::from_millis(delay) && waited < Duration::from_millis(delay + 2000), "{waited:?}");
        last = at;
    }
    let (letter, body) = raw.next(&format!("kinoko.dead-{queue}")).await;
    assert_eq!(body, br#""poison""#);
    let letter = letter.headers().clone().unwrap();
    let text = |name: &str| match letter.inner().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(text(headers::DEAD_REASON), "attempts");
    assert_eq!(text(headers::DEAD_ERROR), "it is poison");
    assert_eq!(text(headers::DEAD_QUEUE), queue);
    assert_eq!(letter.inner().get(headers::DEAD_ATTEMPTS), Some(&AMQPValue::LongInt(3)));
    assert!(!letter.contains_key("x-death"), "{letter:?}");
}
