use kinoko::{prelude::*, testing::TestApp};
use kinoko_tests::amqp_uri;
use lapin::types::AMQPValue;

use super::{Journal, outside, properties};

#[derive(Dependencies)]
struct Declaring {
    journal: Journal,
}

#[service(name = "broker_queues")]
impl Declaring {
    #[event_handler("broker_queues", "happened")]
    async fn pooled(&self) {
        self.journal.note("pooled");
    }

    #[event_handler("broker_queues", "happened", kind = "singleton")]
    async fn single(&self) {
        self.journal.note("single");
    }

    #[event_handler("broker_queues", "happened", kind = "broadcast")]
    async fn everywhere(&self) {
        self.journal.note("broadcast");
    }
}

#[derive(Dependencies)]
struct AsNameko {
    journal: Journal,
}

#[service(name = "broker_queues_nameko", wire = "nameko")]
impl AsNameko {
    #[event_handler("broker_queues", "happened")]
    async fn pooled(&self) {
        self.journal.note("as nameko");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn queues_are_namekos_but_for_those_that_only_kinoko_shares() {
    const POOLED: &str = "evt-broker_queues-happened--broker_queues.pooled";
    const SINGLE: &str = "evt-broker_queues-happened";
    const NAMEKO: &str = "evt-broker_queues-happened--broker_queues_nameko.pooled";
    let raw = outside(&[POOLED, SINGLE, NAMEKO]).await;
    let (journal, mut entries) = Journal::new();
    let app = TestApp::new().broker(amqp_uri()).service::<Declaring>().service::<AsNameko>().replace(journal);
    let app = app.start().await.unwrap();
    assert!(raw.publish_to("broker_queues.events", "happened", b"null", properties()).await);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(entries.next().await.0);
    }
    seen.sort();
    assert_eq!(seen, ["as nameko", "broadcast", "pooled", "single"]);
    app.stop().await.unwrap();

    // Whoever declares a queue with other arguments is refused.
    let text = |text: &str| AMQPValue::LongString(text.into());
    let quorum = [
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongInt(1000)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&format!("kinoko.dead-{POOLED}"))),
    ];
    raw.declare_queue(POOLED, &quorum).await;
    raw.declare_queue(SINGLE, &[]).await;
    raw.declare_queue(NAMEKO, &[]).await;
    let letters = [("x-queue-type", text("quorum")), ("x-delivery-limit", AMQPValue::LongInt(1_000_000))];
    raw.declare_queue(&format!("kinoko.dead-{POOLED}"), &letters).await;
    outside(&[POOLED, SINGLE, NAMEKO]).await.delete_exchange("broker_queues.events").await;
}
