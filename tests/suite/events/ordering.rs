use std::time::Duration;

use kinoko::{prelude::*, protocol::delivery_headers as headers, testing::TestApp, transport::Queue};
use serde_json::json;

use super::{Bench, Journal, header};

#[derive(Dependencies)]
struct Ordered {
    journal: Journal,
}

#[service(name = "ordering_ordered")]
impl Ordered {
    /// Takes a second for each; fails while the payload says so.
    #[event_handler(
        "ordering",
        "step",
        ordered_by = "order.customer",
        retry(in_place, max = 3, backoff = "10s", jitter = false)
    )]
    async fn on_step(&self, #[inject] cx: WorkerContext, step: serde_json::Value) -> kinoko::Result<()> {
        let text = format!("{}{}", step["order"]["customer"].as_str().unwrap_or("?"), step["step"]);
        self.journal.note(format!("{text} begins, attempt {}", cx.attempt()), &cx);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if u64::from(cx.attempt()) <= step["failures"].as_u64().unwrap_or(0) {
            return Err(kinoko::Error::msg("not yet"));
        }
        self.journal.note(format!("{text} ends"), &cx);
        Ok(())
    }
}

const QUEUE: &str = "evt-ordering-step--ordering_ordered.on_step";

fn step(customer: &str, step: u64, failures: u64) -> serde_json::Value {
    json!({"order": {"lines": [1, 2], "customer": customer}, "step": step, "failures": failures})
}

async fn said(bench: &mut Bench, count: usize) -> Vec<(u64, String)> {
    let began = bench.journal.began;
    let mut said = Vec::new();
    for _ in 0..count {
        let entry = bench.next().await;
        said.push(((began + entry.at - began).as_secs(), entry.what));
    }
    said
}

#[tokio::test(start_paused = true)]
async fn one_keys_events_run_one_by_one_and_other_keys_go_on() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Ordered>().await;
    for (customer, number) in [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2)] {
        bench.dispatch("ordering", "step", step(customer, number, 0)).await;
    }
    let said = said(&mut bench, 10).await;
    let of =
        |customer: &str| -> Vec<_> { said.iter().filter(|(_, what)| what.starts_with(customer)).cloned().collect() };
    let expected = |customer: &str, steps: u64| -> Vec<_> {
        (1..=steps)
            .flat_map(|n| [(n - 1, format!("{customer}{n} begins, attempt 1")), (n, format!("{customer}{n} ends"))])
            .collect()
    };
    assert_eq!(of("a"), expected("a", 3));
    assert_eq!(of("b"), expected("b", 2), "at the same time");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_in_place_and_its_keys_later_events_wait() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Ordered>().await;
    for payload in [step("a", 1, 2), step("a", 2, 0), step("b", 1, 0)] {
        bench.dispatch("ordering", "step", payload).await;
    }
    let mut said = said(&mut bench, 8).await;
    said.sort_by_key(|(at, what)| (*at, what.clone()));
    let expected = [
        (0, "a1 begins, attempt 1"),
        (0, "b1 begins, attempt 1"),
        (1, "b1 ends"),
        (11, "a1 begins, attempt 2"),
        // 1 s of work, 20 s of waiting: the delay would double, but the longest is 10 s.
        (22, "a1 begins, attempt 3"),
        (23, "a1 ends"),
        (23, "a2 begins, attempt 1"),
        (24, "a2 ends"),
    ];
    assert_eq!(said, expected.map(|(at, what)| (at, what.to_owned())));
    app.stop().await.unwrap();
    assert_eq!(bench.waiting(QUEUE).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn after_its_last_attempt_an_event_is_a_dead_letter_and_its_key_goes_on() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Ordered>().await;
    bench.dispatch("ordering", "step", step("a", 1, 9)).await;
    bench.dispatch("ordering", "step", step("a", 2, 0)).await;
    let letter = bench.dead_letter(QUEUE).await;
    assert_eq!(header(&letter, headers::DEAD_ATTEMPTS), json!(3));
    assert_eq!(header(&letter, headers::DEAD_REASON), json!("attempts"));
    let took = |header| letter.properties.headers.get(header).and_then(serde_json::Value::as_u64).unwrap();
    assert!(took(headers::DEAD_AT) >= took(headers::DEAD_FIRST_AT));
    assert_eq!(said(&mut bench, 5).await.last().unwrap().1, "a2 ends");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_instances_keep_the_order_and_the_second_goes_on_where_the_first_stops() {
    let mut bench = Bench::new().await;
    let first = bench.start::<Ordered>().await;
    let second = bench.start::<Ordered>().await;
    for number in 1..=5 {
        bench.dispatch("ordering", "step", step("a", number, 0)).await;
    }
    assert_eq!(said(&mut bench, 3).await.last().unwrap().1, "a2 begins, attempt 1");
    // Finishes the second, and gives the others back.
    first.stop().await.unwrap();
    let whats: Vec<_> = said(&mut bench, 7).await.into_iter().map(|(_, what)| what).collect();
    let expected = [
        "a2 ends",
        "a3 begins, attempt 1",
        "a3 ends",
        "a4 begins, attempt 1",
        "a4 ends",
        "a5 begins, attempt 1",
        "a5 ends",
    ];
    assert_eq!(whats, expected);
    second.stop().await.unwrap();
    assert_eq!(bench.waiting(QUEUE).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn what_has_no_key_has_one_in_common() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Ordered>().await;
    for number in 1..=2 {
        bench.dispatch("ordering", "step", json!({"step": number})).await;
    }
    let whats: Vec<_> = said(&mut bench, 4).await.into_iter().map(|(_, what)| what).collect();
    assert_eq!(whats, ["?1 begins, attempt 1", "?1 ends", "?2 begins, attempt 1", "?2 ends"]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_delivers_to_all_is_refused() {
    let bench = Bench::new().await;
    let topology = kinoko::transport::Topology { queues: vec![Queue::durable(QUEUE)], ..Default::default() };
    bench.transport.declare(topology).await.unwrap();
    let error = bench.app::<Ordered>().start().await.unwrap_err().chain();
    assert!(error.contains("`ordering_ordered.on_step` is `ordered_by`") && error.contains("delete it"), "{error}");
    let plain = TestApp::new().service::<Ordered>().replace(bench.journal.clone()).yaml("wire: nameko");
    let error = plain.start().await.unwrap_err().chain();
    assert!(error.contains("wire"), "{error}");
}
