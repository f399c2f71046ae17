use kinoko::{
    prelude::*,
    protocol::delivery_headers as headers,
    service::Service,
    testing::{RunningTestApp, TestApp},
};
use kinoko_tests::{Raw, amqp_uri};
use lapin::types::{AMQPValue, FieldTable};

use super::{Journal, outside, properties};

#[derive(Dependencies)]
struct Hopeless {
    journal: Journal,
}

#[service(name = "broker_hopeless")]
impl Hopeless {
    #[event_handler("broker_letters", "hopeless")]
    async fn on_event(&self, number: u32) -> Result<(), DeadLetter> {
        self.journal.note(number);
        Err(DeadLetter::because("hopeless"))
    }
}

#[derive(Dependencies)]
struct Large {
    journal: Journal,
}

#[service(name = "broker_large")]
impl Large {
    #[event_handler("broker_letters", "large", retry(max = 3, backoff = "10ms"))]
    async fn on_event(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        self.journal.note(cx.attempt());
        Err(kinoko::Error::msg("x".repeat(2000)))
    }
}

async fn start<S: Service>(journal: Journal) -> RunningTestApp {
    TestApp::new().broker(amqp_uri()).service::<S>().replace(journal).start().await.unwrap()
}

async fn number(raw: &Raw, queue: &str) -> Vec<u8> {
    raw.next(queue).await.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_dead_letter_that_has_no_room_waits_for_it() {
    const QUEUE: &str = "evt-broker_letters-hopeless--broker_hopeless.on_event";
    let letters = format!("kinoko.dead-{QUEUE}");
    let raw = outside(&[QUEUE]).await;
    let full =
        [("x-max-length", AMQPValue::LongInt(1)), ("x-overflow", AMQPValue::LongString("reject-publish".into()))];
    raw.declare_queue(&letters, &full).await;
    let (journal, mut entries) = Journal::new();
    let app = start::<Hopeless>(journal).await;
    for number in [b"1", b"2", b"3"] {
        assert!(raw.publish_to("broker_letters.events", "hopeless", number, properties()).await);
    }
    for _ in 0..3 {
        entries.next().await;
    }
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(number(&raw, &letters).await);
    }
    kept.sort();
    assert_eq!(kept, [b"1", b"2", b"3"]);
    app.stop().await.unwrap();
    assert!(entries.0.try_recv().is_err(), "each was handled once");
    outside(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn headers_that_leave_no_room_for_ours_are_left_out_of_the_dead_letter() {
    const QUEUE: &str = "evt-broker_letters-large--broker_large.on_event";
    let raw = outside(&[QUEUE]).await;
    let (journal, mut entries) = Journal::new();
    let app = start::<Large>(journal).await;
    let mut table = FieldTable::default();
    table.insert("foreign".into(), AMQPValue::LongString("x".repeat(20_000).into()));
    assert!(raw.publish_to("broker_letters.events", "large", b"7", properties().with_headers(table)).await);
    assert_eq!(entries.next().await.0, "1");
    let (properties, body) = raw.next(&format!("kinoko.dead-{QUEUE}")).await;
    let letter = properties.headers().clone().unwrap();
    assert_eq!(body, b"7");
    assert!(!letter.contains_key("foreign") && letter.contains_key(headers::DEAD_ERROR));
    assert_eq!(letter.inner().get(headers::DEAD_ATTEMPTS), Some(&AMQPValue::LongInt(1)));
    app.stop().await.unwrap();
    outside(&[QUEUE]).await;
}
