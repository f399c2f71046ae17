use std::time::Duration;

use kinoko::{prelude::*, protocol::delivery_headers as headers};
use serde_json::json;

use super::{Bench, Journal, event, header};

#[derive(Dependencies)]
struct Reading {
    journal: Journal,
}

#[event(source = "payloads")]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Placed {
    order: u64,
}

#[event(source = "payloads")]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Cancelled {
    why: String,
}

#[derive(Debug, EventSet)]
#[expect(dead_code, reason = "`Debug` shows what is inside")]
enum Order {
    Placed(Placed),
    Cancelled(Cancelled),
}

#[service(name = "payloads_reading")]
impl Reading {
    #[event_handler(Placed)]
    async fn on_placed(&self, #[inject] cx: WorkerContext, placed: Placed) {
        self.journal.note(placed.order, &cx);
    }

    #[event_handler(Order, retry(max = 2, backoff = "1s"))]
    async fn on_order(&self, #[inject] cx: WorkerContext, order: Order) -> kinoko::Result<()> {
        self.journal.note(format!("{order:?}"), &cx);
        if cx.attempt() == 1 && matches!(order, Order::Cancelled(_)) {
            Err(kinoko::Error::msg("again"))
        } else {
            Ok(())
        }
    }

    #[event_handler("payloads", "raw")]
    async fn on_raw(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) {
        let as_text = raw.decode::<String>().map_err(|error| error.to_string());
        self.journal.note(format!("{:?} {as_text:?}", raw.properties().content_type), &cx);
    }

    #[event_handler("payloads", "text")]
    async fn on_text(&self, #[inject] cx: WorkerContext, text: String) {
        self.journal.note(text, &cx);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_payload_is_a_dead_letter_at_once() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Reading>().await;
    let queue = "evt-payloads-text--payloads_reading.on_text";
    let mut untyped = event("payloads", "text", "hello");
    untyped.properties.content_type = None;
    let mut unknown = event("payloads", "text", "hello");
    unknown.properties.content_type = Some("text/plain".into());
    let mut compressed = event("payloads", "text", "hello");
    compressed.properties.headers.set("compression", "application/x-gzip");
    for (message, error) in [
        (event("payloads", "text", 7), "invalid type: integer `7`, expected a string"),
        (untyped, "the message has no content type"),
        (unknown, "no codec for content type `text/plain`"),
        (compressed, "the body is compressed: send it without `compression`"),
    ] {
        bench.publish(message).await;
        let letter = bench.dead_letter(queue).await;
        assert_eq!(header(&letter, headers::DEAD_REASON), "malformed");
        assert_eq!(header(&letter, headers::DEAD_ERROR_TYPE), "MalformedMessage");
        let text = header(&letter, headers::DEAD_ERROR);
        assert!(text.as_str().unwrap().contains(error), "{text}");
    }
    bench.silence(Duration::from_secs(60)).await;
    let mut with_parameters = event("payloads", "text", "hello");
    with_parameters.properties.content_type = Some("application/json; charset=utf-8".into());
    bench.publish(with_parameters).await;
    assert_eq!(bench.next().await.what, "hello");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_the_raw_delivery_gets_what_no_codec_reads() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Reading>().await;
    let mut message = event("payloads", "raw", "hello");
    bench.publish(message.clone()).await;
    assert_eq!(bench.next().await.what, r#"Some("application/json") Ok("hello")"#);
    message.properties.content_type = None;
    bench.publish(message).await;
    assert_eq!(bench.next().await.what, r#"None Err("the message has no content type")"#);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_set_of_events_is_told_apart_in_later_attempts_too() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Reading>().await;
    bench.dispatch("payloads", "cancelled", json!({"why": "late"})).await;
    for attempt in [1, 2] {
        let entry = bench.next().await;
        assert_eq!(entry.what, r#"Cancelled(Cancelled { why: "late" })"#);
        assert_eq!(entry.context.attempt(), attempt);
    }
    bench.dispatch("payloads", "placed", json!({"order": 7})).await;
    let mut both = [bench.next().await.what, bench.next().await.what];
    both.sort();
    assert_eq!(both, ["7", "Placed(Placed { order: 7 })"]);
    assert_eq!(bench.waiting("evt-payloads-cancelled--payloads_reading.on_order").await, Some(0));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_beyond_the_limit_is_a_dead_letter() {
    let mut bench = Bench::new().await;
    let app = bench.app::<Reading>().yaml("max_body_bytes: 1000").start().await.unwrap();
    bench.dispatch("payloads", "text", "x".repeat(999)).await;
    let letter = bench.dead_letter("evt-payloads-text--payloads_reading.on_text").await;
    assert_eq!(header(&letter, headers::DEAD_REASON), "too_large");
    assert_eq!(header(&letter, headers::DEAD_ERROR), "the body has 1001 bytes, 1000 are allowed (max_body_bytes)");
    assert_eq!(header(&letter, headers::DEAD_ATTEMPTS), 0);
    assert_eq!(letter.body.len(), 1001);
    bench.dispatch("payloads", "text", "x".repeat(998)).await;
    assert_eq!(bench.next().await.what.len(), 998);
    app.stop().await.unwrap();
}
