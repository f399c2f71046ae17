use std::time::Duration;

use kinoko::{prelude::*, protocol::Message};

use super::{Bench, Journal, event};

#[derive(Dependencies)]
struct Once {
    journal: Journal,
}

#[service(name = "idempotency_once")]
impl Once {
    /// Takes a second; fails while the payload says so.
    #[event_handler(
        "idempotency",
        "paid",
        idempotent(window = "1h", store = "process"),
        retry(max = 2, backoff = "10s", jitter = false)
    )]
    async fn on_paid(&self, #[inject] cx: WorkerContext, failures: u32) -> Result<(), Verdict> {
        self.journal.note(format!("attempt {}", cx.attempt()), &cx);
        tokio::time::sleep(Duration::from_secs(1)).await;
        match failures {
            99 => Err(Reject::because("nobody wants it").into()),
            failures if cx.attempt() <= failures => Err(Retry::because("not yet").into()),
            _ => Ok(()),
        }
    }

    #[event_handler("idempotency", "counted", idempotent(store = "process"), batch = 3, within = "1s")]
    async fn on_counted(&self, #[inject] cx: WorkerContext, numbers: Vec<u32>) {
        self.journal.note(format!("{numbers:?}"), &cx);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

const QUEUE: &str = "evt-idempotency-paid--idempotency_once.on_paid";

fn paid(id: &str, failures: u32) -> Message {
    named("paid", id, failures)
}

fn named(name: &str, id: &str, payload: u32) -> Message {
    let mut message = event("idempotency", name, payload);
    message.properties.message_id = Some(id.to_owned().into());
    message
}

#[tokio::test(start_paused = true)]
async fn what_was_handled_is_not_handled_again_within_the_window() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Once>().await;
    bench.publish(paid("one", 0)).await;
    bench.next().await;
    bench.silence(Duration::from_secs(60)).await;
    bench.publish(paid("one", 0)).await;
    bench.publish(paid("two", 0)).await;
    bench.next().await;
    bench.silence(Duration::from_secs(60)).await;
    bench.silence(Duration::from_secs(3600)).await;
    bench.publish(paid("one", 0)).await;
    assert_eq!(bench.next().await.what, "attempt 1", "the window is over");
    app.stop().await.unwrap();
    assert_eq!(bench.waiting(QUEUE).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn the_second_of_two_at_once_waits_for_the_first() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Once>().await;
    bench.publish(paid("one", 0)).await;
    bench.publish(paid("one", 0)).await;
    bench.next().await;
    bench.silence(Duration::from_secs(60)).await;
    app.stop().await.unwrap();
    assert_eq!(bench.waiting(QUEUE).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn what_failed_was_not_handled() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Once>().await;
    bench.publish(paid("one", 1)).await;
    bench.publish(paid("one", 1)).await;
    // The first fails, its second attempt is 10 s away; the copy begins meanwhile and fails as well. The first of the second attempts does it.
    let mut whats = Vec::new();
    for _ in 0..3 {
        whats.push(bench.next().await.what);
    }
    assert_eq!(whats, ["attempt 1", "attempt 1", "attempt 2"]);
    bench.silence(Duration::from_secs(600)).await;
    // Nor was what became a dead letter, so that it can be replayed.
    bench.publish(paid("two", 2)).await;
    bench.dead_letter(QUEUE).await;
    for expected in ["attempt 1", "attempt 2"] {
        assert_eq!(bench.next().await.what, expected);
    }
    bench.publish(paid("two", 0)).await;
    assert_eq!(bench.next().await.what, "attempt 1");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_rejected_is_done_with() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Once>().await;
    bench.publish(paid("one", 99)).await;
    bench.next().await;
    bench.silence(Duration::from_secs(60)).await;
    bench.publish(paid("one", 0)).await;
    bench.silence(Duration::from_secs(60)).await;
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_empty_message_id_is_none() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Once>().await;
    for _ in 0..2 {
        bench.publish(paid("", 0)).await;
        bench.next().await;
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_each_message_once() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Once>().await;
    for (id, number) in [("a", 1), ("a", 1), ("b", 2), ("b", 2), ("c", 3)] {
        bench.publish(named("counted", id, number)).await;
    }
    let mut numbers = Vec::new();
    for _ in 0..2 {
        numbers.push(bench.next().await.what);
    }
    assert_eq!(numbers, ["[1, 2]", "[3]"]);
    bench.silence(Duration::from_secs(60)).await;
    app.stop().await.unwrap();
    assert_eq!(bench.waiting("evt-idempotency-counted--idempotency_once.on_counted").await, Some(0));
}
