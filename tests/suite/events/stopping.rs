use std::time::Duration;

use kinoko::prelude::*;
use serde_json::json;

use super::{Bench, Journal};

#[derive(Dependencies)]
struct Working {
    journal: Journal,
}

#[service(name = "stopping_working")]
impl Working {
    #[event_handler("stopping", "work", concurrency = 2)]
    async fn on_work(&self, #[inject] cx: WorkerContext, number: u32) {
        self.journal.note(format!("began {number}"), &cx);
        tokio::time::sleep(Duration::from_secs(10)).await;
        self.journal.note(format!("ended {number}"), &cx);
    }

    #[event_handler("stopping", "fail", retry(max = 2, backoff = "10s"))]
    async fn on_fail(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        self.journal.note(cx.attempt(), &cx);
        tokio::time::sleep(Duration::from_secs(10)).await;
        Err(kinoko::Error::msg("after all"))
    }
}

const QUEUE: &str = "evt-stopping-work--stopping_working.on_work";

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_runs_and_hands_back_what_has_not_begun() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Working>().await;
    for number in 1..=6 {
        bench.dispatch("stopping", "work", number).await;
    }
    assert_eq!([bench.next().await.what, bench.next().await.what], ["began 1", "began 2"]);
    assert_eq!(app.running_workers(), 2);
    app.stop().await.unwrap();
    assert_eq!([bench.next().await.what, bench.next().await.what], ["ended 1", "ended 2"]);
    assert_eq!(bench.waiting(QUEUE).await, Some(4));

    let app = bench.start::<Working>().await;
    let mut numbers = Vec::new();
    for _ in 3..=6 {
        let entry = bench.next().await;
        assert_eq!(entry.context.attempt(), 1, "nothing of it was an attempt");
        if entry.what.starts_with("began") {
            numbers.push(entry.what);
        }
        bench.next().await;
    }
    app.stop().await.unwrap();
    assert_eq!(bench.waiting(QUEUE).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn what_fails_during_a_stop_keeps_its_count() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Working>().await;
    bench.dispatch("stopping", "fail", json!(null)).await;
    assert_eq!(bench.next().await.what, "1");
    app.stop().await.unwrap();
    let app = bench.start::<Working>().await;
    assert_eq!(bench.next().await.what, "2");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_grace_period_goes_to_somebody_else() {
    let mut bench = Bench::new().await;
    let app = bench.app::<Working>().yaml("grace_period: 1s").start().await.unwrap();
    bench.dispatch("stopping", "work", 1).await;
    assert_eq!(bench.next().await.what, "began 1");
    assert!(app.stop().await.is_err(), "a worker was dropped");
    assert_eq!(bench.waiting(QUEUE).await, Some(1));
    let app = bench.start::<Working>().await;
    let entry = bench.next().await;
    assert_eq!((entry.what.as_str(), entry.context.attempt()), ("began 1", 1));
    assert_eq!(bench.next().await.what, "ended 1");
    app.stop().await.unwrap();
}
