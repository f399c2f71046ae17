//! `ordered_by` over RabbitMQ: what comes again goes on where it ended, and in its order.

use std::time::Duration;

use kinoko::{
    prelude::*,
    service::Service,
    testing::{RunningTestApp, TestApp},
};
use kinoko_tests::{Proxy, Raw, amqp_uri};
use lapin::types::AMQPValue;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Journal, outside, properties};

#[derive(Serialize, Deserialize)]
struct Step {
    key: u64,
    number: u64,
}

#[derive(Dependencies)]
struct Failing {
    journal: Journal,
}

#[service(name = "broker_failing")]
impl Failing {
    /// Fails with key 0, and number 0 in it has a long way to its end.
    #[event_handler(
        "broker_redelivered",
        "failing",
        ordered_by = "key",
        retry(in_place, max = 4, backoff = "500ms", jitter = false)
    )]
    async fn on_step(&self, #[inject] cx: WorkerContext, Step { key, number }: Step) -> Result<(), Retry> {
        self.journal.note(format!("{key}.{number} attempt {}", cx.attempt()));
        if (key, number) == (0, 0) { Err(Retry::because("it fails")) } else { Ok(()) }
    }
}

#[derive(Dependencies)]
struct Slow {
    journal: Journal,
}

#[service(name = "broker_slow")]
impl Slow {
    /// In the first instance nothing comes to its end.
    #[event_handler("broker_redelivered", "slow", ordered_by = "key")]
    async fn on_step(&self, #[inject] cx: WorkerContext, Step { key, number }: Step) {
        self.journal.note(format!("{key}.{number}"));
        if !cx.redelivered() {
            sleep(Duration::from_secs(60)).await;
        }
    }
}

async fn start<S: Service>(uri: &str, journal: &Journal) -> RunningTestApp {
    let app = TestApp::new().service::<S>().broker(uri).replace(journal.clone()).yaml("grace_period: 300ms");
    app.start().await.unwrap()
}

async fn send(raw: &Raw, name: &str, key: u64, number: u64) {
    let body = serde_json::to_vec(&Step { key, number }).unwrap();
    assert!(raw.publish_to("broker_redelivered.events", name, &body, properties()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_lost_connection_begins_neither_the_attempts_anew_nor_the_pause_between_them() {
    const QUEUE: &str = "evt-broker_redelivered-failing--broker_failing.on_step";
    let raw = outside(&[QUEUE]).await;
    let proxy = Proxy::to(&amqp_uri());
    let (journal, mut entries) = Journal::new();
    let app = start::<Failing>(&proxy.uri(&amqp_uri()), &journal).await;
    for (key, number) in [(0, 0), (0, 1), (1, 0)] {
        send(&raw, "failing", key, number).await;
    }
    let (mut failing, mut others) = (Vec::new(), Vec::new());
    while others.last().is_none_or(|what| what != "0.1 attempt 1") {
        let (what, at) = entries.next().await;
        if !what.starts_with("0.0") {
            others.push(what);
            continue;
        }
        failing.push((what, at));
        // In the pause after the first three, whether it has come back before the end of the pause or not.
        if failing.len() < 4 {
            proxy.cut();
        }
    }
    let attempts: Vec<_> = failing.iter().map(|(what, _)| &**what).collect();
    assert_eq!(attempts, ["0.0 attempt 1", "0.0 attempt 2", "0.0 attempt 3", "0.0 attempt 4"]);
    for pair in failing.windows(2) {
        assert!(pair[1].1 - pair[0].1 >= Duration::from_millis(450), "{failing:?}");
    }
    // The acknowledgement of the other key's may have been lost with the connection.
    others.dedup();
    assert_eq!(others, ["1.0 attempt 1", "0.1 attempt 1"], "its key waits, the other goes on");
    let (letter, _) = raw.next(&format!("kinoko.dead-{QUEUE}")).await;
    let headers = letter.headers().as_ref().unwrap().inner().clone();
    assert_eq!(headers.get("kinoko.dead.reason"), Some(&AMQPValue::LongString("attempts".into())));
    assert_eq!(headers.get("kinoko.dead.attempts"), Some(&AMQPValue::LongInt(4)));
    app.stop().await.unwrap();
    drop(outside(&[QUEUE]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn what_a_stopped_instance_had_to_drop_comes_first_in_the_next() {
    const QUEUE: &str = "evt-broker_redelivered-slow--broker_slow.on_step";
    let raw = outside(&[QUEUE]).await;
    let ((journal, mut entries), (next_journal, mut next_entries)) = (Journal::new(), Journal::new());
    let first = start::<Slow>(&amqp_uri(), &journal).await;
    let second = start::<Slow>(&amqp_uri(), &next_journal).await;
    for number in 0..3 {
        for key in 0..3 {
            send(&raw, "slow", key, number).await;
        }
    }
    let mut begun = [entries.next().await.0, entries.next().await.0, entries.next().await.0];
    begun.sort();
    assert_eq!(begun, ["0.0", "1.0", "2.0"]);
    // They outlast its grace period.
    first.stop().await.unwrap_err();
    let mut all = Vec::new();
    for _ in 0..9 {
        all.push(next_entries.next().await.0);
    }
    for key in ["0.", "1.", "2."] {
        let of_key: Vec<_> = all.iter().filter(|what| what.starts_with(key)).cloned().collect();
        assert_eq!(of_key, ["0", "1", "2"].map(|number| format!("{key}{number}")), "{all:?}");
    }
    second.stop().await.unwrap();
    drop(outside(&[QUEUE]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_queue_of_an_earlier_version_goes_on() {
    const QUEUE: &str = "evt-broker_older-failing--broker_older.on_step";
    #[derive(Dependencies)]
    struct Older {
        journal: Journal,
    }
    #[service(name = "broker_older")]
    impl Older {
        #[event_handler("broker_older", "failing", ordered_by = "key")]
        async fn on_step(&self, step: Step) {
            self.journal.note(step.number);
        }
    }
    let raw = outside(&[QUEUE]).await;
    raw.declare_queue(QUEUE, &[("x-single-active-consumer", AMQPValue::Boolean(true))]).await;
    let proxy = Proxy::to(&amqp_uri());
    let (journal, mut entries) = Journal::new();
    let app = start::<Older>(&proxy.uri(&amqp_uri()), &journal).await;
    for number in 0..2 {
        let body = serde_json::to_vec(&Step { key: 1, number }).unwrap();
        raw.publish(QUEUE, &body, properties()).await;
        // The one before may come again: its acknowledgement may be lost with the connection.
        while entries.next().await.0 != number.to_string() {}
        proxy.cut();
    }
    app.stop().await.unwrap();
    // And one that delivers to all is refused, as ever.
    drop(outside(&[QUEUE]).await);
    raw.declare_queue(QUEUE, &[]).await;
    let refused = TestApp::new().service::<Older>().broker(amqp_uri()).replace(journal).start().await;
    let error = refused.unwrap_err().chain();
    assert!(error.contains("delete it when it is empty"), "{error}");
    drop(outside(&[QUEUE]).await);
}
