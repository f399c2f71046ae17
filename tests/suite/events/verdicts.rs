use std::time::Duration;

use kinoko::{prelude::*, protocol::delivery_headers as headers};
use serde_json::json;

use super::{Bench, Journal, header};

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("no such article")]
    #[fault(retry = false)]
    Unknown,
    #[error("the shelf is locked")]
    Locked,
}

#[derive(Dependencies)]
struct Judging {
    journal: Journal,
}

#[service(name = "verdicts_judging")]
impl Judging {
    #[event_handler("verdicts", "word", retry(max = 3, backoff = "10s", jitter = false))]
    async fn on_word(&self, #[inject] cx: WorkerContext, word: String) -> Result<(), Verdict> {
        self.journal.note(cx.attempt(), &cx);
        Err(match &*word {
            "reject" => Reject::because("nobody wants it").into(),
            "dead" => DeadLetter::because("it cannot be helped").into(),
            "later" => Retry::after(Duration::from_secs(77)).into(),
            "now" => Retry::now().into(),
            _ => Retry::because("as the policy says").into(),
        })
    }

    #[event_handler("verdicts", "stock", retry(max = 2, backoff = "10s", jitter = false))]
    async fn on_stock(&self, #[inject] cx: WorkerContext, unknown: bool) -> Result<(), StockError> {
        self.journal.note(cx.attempt(), &cx);
        Err(if unknown { StockError::Unknown } else { StockError::Locked })
    }

    #[event_handler("verdicts", "panic", retry(max = 2, backoff = "10s", jitter = false))]
    async fn on_panic(&self, #[inject] cx: WorkerContext) {
        self.journal.note(cx.attempt(), &cx);
        panic!("out of tea")
    }

    #[event_handler("verdicts", "slow", timeout = "3s", retry(max = 2, backoff = "10s", jitter = false))]
    async fn on_slow(&self, #[inject] cx: WorkerContext) {
        self.journal.note(cx.attempt(), &cx);
        std::future::pending::<()>().await;
    }
}

fn queue(event: &str) -> String {
    format!("evt-verdicts-{event}--verdicts_judging.on_{event}")
}

/// Dispatches, and gives the times of the attempts.
async fn attempts(bench: &mut Bench, event: &str, payload: serde_json::Value, count: usize) -> Vec<u128> {
    let began = bench.journal.began.elapsed();
    assert!(bench.dispatch("verdicts", event, payload).await);
    let mut times = Vec::new();
    for attempt in 1..=count {
        let entry = bench.next().await;
        assert_eq!(entry.what, attempt.to_string());
        times.push((entry.at - began).as_millis() / 100);
    }
    bench.silence(Duration::from_secs(600)).await;
    assert_eq!(bench.waiting(&queue(event)).await, Some(0), "nothing waits any more");
    times
}

#[tokio::test(start_paused = true)]
async fn a_verdict_says_what_becomes_of_the_message() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Judging>().await;
    let letters = format!("kinoko.dead-{}", queue("word"));

    assert_eq!(attempts(&mut bench, "word", json!("reject"), 1).await, [0]);
    assert_eq!(bench.waiting(&letters).await.unwrap_or(0), 0, "what is rejected is dropped");

    assert_eq!(attempts(&mut bench, "word", json!("dead"), 1).await, [0]);
    let letter = bench.dead_letter(&queue("word")).await;
    assert_eq!(header(&letter, headers::DEAD_REASON), "verdict");
    assert_eq!(header(&letter, headers::DEAD_ERROR), "it cannot be helped");
    assert_eq!(header(&letter, headers::DEAD_ATTEMPTS), 1);

    for (word, times) in [("later", [0, 770, 1540]), ("now", [0, 0, 0]), ("policy", [0, 100, 200])] {
        assert_eq!(attempts(&mut bench, "word", json!(word), 3).await, times, "{word}");
        let letter = bench.dead_letter(&queue("word")).await;
        assert_eq!(header(&letter, headers::DEAD_REASON), "attempts", "{word}");
        assert_eq!(header(&letter, headers::DEAD_ATTEMPTS), 3, "{word}");
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_that_may_not_be_repeated_is_not() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Judging>().await;
    assert_eq!(attempts(&mut bench, "stock", json!(true), 1).await, [0]);
    let letter = bench.dead_letter(&queue("stock")).await;
    assert_eq!(header(&letter, headers::DEAD_REASON), "verdict");
    assert_eq!(header(&letter, headers::DEAD_CODE), "UNKNOWN");
    assert_eq!(header(&letter, headers::DEAD_ERROR_TYPE), "Unknown");
    assert_eq!(attempts(&mut bench, "stock", json!(false), 2).await, [0, 100]);
    let letter = bench.dead_letter(&queue("stock")).await;
    assert_eq!(header(&letter, headers::DEAD_CODE), "LOCKED");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_attempt() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Judging>().await;
    assert_eq!(attempts(&mut bench, "panic", json!(null), 2).await, [0, 100]);
    let letter = bench.dead_letter(&queue("panic")).await;
    assert_eq!(header(&letter, headers::DEAD_ERROR_TYPE), "Panic");
    assert_eq!(header(&letter, headers::DEAD_ERROR), "out of tea");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_takes_too_long_is_a_failed_attempt() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Judging>().await;
    assert_eq!(attempts(&mut bench, "slow", json!(null), 2).await, [0, 130]);
    let letter = bench.dead_letter(&queue("slow")).await;
    assert_eq!(header(&letter, headers::DEAD_CODE), "TIMEOUT");
    assert_eq!(header(&letter, headers::DEAD_ERROR), "`verdicts_judging.on_slow` took longer than the 3s that it may");
    assert_eq!(app.running_workers(), 0);
    app.stop().await.unwrap();
}
