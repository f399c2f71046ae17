use std::time::Duration;

use kinoko::{prelude::*, protocol::delivery_headers as headers};
use serde_json::json;

use super::{Bench, Journal, header};

#[derive(Dependencies)]
struct Gathering {
    journal: Journal,
}

#[service(name = "batches_gathering")]
impl Gathering {
    #[event_handler("batches", "number", batch = 5, within = "2s", retry(max = 2, backoff = "10s", jitter = false))]
    async fn on_numbers(&self, #[inject] cx: WorkerContext, numbers: Vec<i32>) -> Vec<Result<(), Verdict>> {
        self.journal.note(format!("{numbers:?}"), &cx);
        let verdict = |number| match number {
            -1 => Err(Retry::because("negative").into()),
            -2 => Err(DeadLetter::because("very negative").into()),
            -3 => Err(Reject::because("too negative").into()),
            _ => Ok(()),
        };
        numbers.into_iter().map(verdict).collect()
    }

    #[event_handler("batches", "whole", batch = 3, within = "2s", retry(max = 2, backoff = "10s", jitter = false))]
    async fn on_whole(&self, #[inject] cx: WorkerContext, items: Vec<RawDelivery>) -> kinoko::Result<()> {
        let attempts: Vec<_> = items.iter().map(RawDelivery::attempt).collect();
        self.journal.note(format!("{attempts:?}"), &cx);
        panic!("all of it")
    }

    #[event_handler("batches", "mined", batch = 4, within = "2s", retry(max = 2, backoff = "10s", jitter = false))]
    async fn on_mined(&self, #[inject] cx: WorkerContext, numbers: Vec<i32>) {
        self.journal.note(format!("{numbers:?}"), &cx);
        assert!(!numbers.contains(&-9));
    }

    #[event_handler("batches", "long", batch = 2, within = "1h", concurrency = 1)]
    async fn on_long(&self, #[inject] cx: WorkerContext, items: Vec<i32>) {
        self.journal.note(format!("{items:?}"), &cx);
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.journal.note("over", &cx);
    }
}

fn dead(event: &str, method: &str) -> String {
    format!("evt-batches-{event}--batches_gathering.{method}")
}

#[tokio::test(start_paused = true)]
async fn a_batch_begins_when_it_is_full_or_due() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Gathering>().await;
    for number in 1..=12 {
        bench.dispatch("batches", "number", number).await;
    }
    let began = bench.journal.began.elapsed();
    for (expected, seconds) in [("[1, 2, 3, 4, 5]", 0), ("[6, 7, 8, 9, 10]", 0), ("[11, 12]", 2)] {
        let entry = bench.next().await;
        assert_eq!((entry.what.as_str(), (entry.at - began).as_secs()), (expected, seconds));
        assert_eq!(entry.context.get("language"), None, "a batch has no one caller");
    }
    bench.silence(Duration::from_secs(60)).await;
    app.stop().await.unwrap();
    assert_eq!(bench.waiting(&dead("number", "on_numbers")).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn each_item_of_a_batch_has_its_own_verdict() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Gathering>().await;
    for payload in [json!(1), json!(-1), json!("seven"), json!(-2), json!(-3)] {
        bench.dispatch("batches", "number", payload).await;
    }
    assert_eq!(bench.next().await.what, "[1, -1, -2, -3]", "what cannot be read is left out");
    let queue = dead("number", "on_numbers");
    let mut reasons = Vec::new();
    for _ in 0..2 {
        let letter = bench.dead_letter(&queue).await;
        reasons.push((letter.body.to_vec(), header(&letter, headers::DEAD_REASON)));
    }
    reasons.sort_by_key(|(body, _)| body.clone());
    assert_eq!(reasons, [(b"\"seven\"".to_vec(), json!("malformed")), (b"-2".to_vec(), json!("verdict"))]);
    let again = bench.next().await;
    assert_eq!((again.what.as_str(), again.at.as_secs()), ("[-1]", 10), "alone, so it waits for no others");
    let letter = bench.dead_letter(&queue).await;
    assert_eq!(header(&letter, headers::DEAD_REASON), "attempts");
    bench.silence(Duration::from_secs(60)).await;
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_whole_batch_is_that_of_each_item() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Gathering>().await;
    for number in 1..=3 {
        bench.dispatch("batches", "whole", number).await;
    }
    assert_eq!(bench.next().await.what, "[1, 1, 1]");
    for _ in 0..3 {
        assert_eq!(bench.next().await.what, "[2]", "what failed before takes nobody along");
    }
    for _ in 0..3 {
        let letter = bench.dead_letter(&dead("whole", "on_whole")).await;
        assert_eq!(header(&letter, headers::DEAD_ERROR_TYPE), "Panic");
        assert_eq!(header(&letter, headers::DEAD_ATTEMPTS), 2);
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_item_that_makes_its_batch_panic_takes_no_neighbour_along() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Gathering>().await;
    for number in [1, 2, -9, 4] {
        bench.dispatch("batches", "mined", number).await;
    }
    assert_eq!(bench.next().await.what, "[1, 2, -9, 4]");
    let mut alone = Vec::new();
    for _ in 0..4 {
        alone.push(bench.next().await.what);
    }
    alone.sort();
    assert_eq!(alone, ["[-9]", "[1]", "[2]", "[4]"]);
    let letter = bench.dead_letter(&dead("mined", "on_mined")).await;
    assert_eq!(letter.body, "-9");
    bench.silence(Duration::from_secs(60)).await;
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_the_batch_that_runs_and_hands_back_the_others() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Gathering>().await;
    for number in 1..=5 {
        bench.dispatch("batches", "long", number).await;
    }
    assert_eq!(bench.next().await.what, "[1, 2]");
    let began = tokio::time::Instant::now();
    app.stop().await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(bench.next().await.what, "over");
    bench.silence(Duration::from_secs(60)).await;
    assert_eq!(bench.waiting(&dead("long", "on_long")).await, Some(3), "one batch that waited, one that was not full");
    let app = bench.start::<Gathering>().await;
    assert_eq!(bench.next().await.what.matches(['3', '4', '5']).count(), 2);
    app.stop().await.unwrap();
}
