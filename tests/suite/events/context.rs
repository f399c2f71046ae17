use std::time::Duration;

use kinoko::prelude::*;
use serde_json::json;

use super::{Bench, Journal, event};

#[derive(Dependencies)]
struct Telling {
    journal: Journal,
    events: EventDispatcher,
}

#[event(source = "context_telling", name = "next")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Next {
    number: u32,
}

#[service(name = "context_telling")]
impl Telling {
    #[event_handler("context", "asked", retry(max = 2, backoff = "1s"))]
    async fn on_asked(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        self.journal.note("asked", &cx);
        if cx.attempt() == 1 {
            return Err(kinoko::Error::msg("again"));
        }
        self.events.dispatch(&Next { number: 1 }).await?;
        Ok(())
    }

    #[event_handler(Next)]
    async fn on_next(&self, #[inject] cx: WorkerContext, next: Next) {
        self.journal.note(next.number, &cx);
    }

    #[event_handler("context", "slow", timeout = "5s", concurrency = 1)]
    async fn on_slow(&self, #[inject] cx: WorkerContext) {
        self.journal.note(cx.remaining().unwrap_or_default().as_secs(), &cx);
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_context_of_an_event_passes_on_along_all_attempts() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Telling>().await;
    let mut message = event("context", "asked", json!(null));
    message.properties.headers.set("nameko.call_id_stack", json!(["shop.checkout.1", "orders.place.2"]));
    message.properties.headers.set("other", "of the delivery");
    bench.publish(message).await;
    for attempt in [1, 2] {
        let cx = bench.next().await.context;
        assert_eq!(cx.parent_call_ids(), ["shop.checkout.1", "orders.place.2"]);
        assert!(cx.call_id().starts_with("context_telling.on_asked."), "{}", cx.call_id());
        assert_eq!(cx.get("language"), Some(&json!("de")));
        assert_eq!(cx.header("other"), Some(&json!("of the delivery")));
        assert_eq!((cx.attempt(), cx.deadline()), (attempt, None));
        if attempt == 2 {
            let next = bench.next().await.context;
            assert_eq!(next.parent_call_ids(), cx.call_id_stack());
            assert_eq!(next.get("language"), Some(&json!("de")));
        }
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_senders_own_properties_are_no_call_ids() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Telling>().await;
    let mut message = event("context_telling", "next", json!({"number": 7}));
    message.properties.app_id = Some("billing,2".into());
    message.properties.kind = Some("invoice".into());
    message.properties.correlation_id = Some("7".into());
    bench.publish(message).await;
    let entry = bench.next().await;
    assert_eq!((entry.what.as_str(), entry.context.parent_call_ids().len()), ("7", 0));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_worker_begins_with_the_worker() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Telling>().await;
    for _ in 0..3 {
        bench.dispatch("context", "slow", json!(null)).await;
    }
    for _ in 0..3 {
        let entry = bench.next().await;
        assert_eq!((entry.what.as_str(), entry.context.attempt()), ("5", 1), "at {:?}", entry.at);
    }
    app.stop().await.unwrap();
}
