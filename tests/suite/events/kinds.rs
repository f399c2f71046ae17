use std::{collections::BTreeMap, time::Duration};

use kinoko::prelude::*;
use serde_json::json;

use super::{Bench, Journal};

#[derive(Dependencies)]
struct First {
    journal: Journal,
}

#[service(name = "kinds_first")]
impl First {
    #[event_handler("kinds", "happened")]
    async fn pooled(&self, #[inject] cx: WorkerContext) {
        self.journal.note("first pooled", &cx);
    }

    #[event_handler("kinds", "happened", kind = "singleton")]
    async fn single(&self, #[inject] cx: WorkerContext) {
        self.journal.note("single", &cx);
    }

    #[event_handler("kinds", "happened", kind = "broadcast")]
    async fn everywhere(&self, #[inject] cx: WorkerContext) {
        self.journal.note("broadcast", &cx);
    }
}

#[derive(Dependencies)]
struct Second {
    journal: Journal,
}

#[service(name = "kinds_second")]
impl Second {
    #[event_handler("kinds", "happened")]
    async fn pooled(&self, #[inject] cx: WorkerContext) {
        self.journal.note("second pooled", &cx);
    }

    #[event_handler("kinds", "happened", kind = "singleton")]
    async fn single(&self, #[inject] cx: WorkerContext) {
        self.journal.note("single", &cx);
    }
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_handler_gets_its_share() {
    let mut bench = Bench::new().await;
    let apps = [bench.start::<First>().await, bench.start::<First>().await, bench.start::<Second>().await];
    for number in 0..10 {
        bench.dispatch("kinds", "happened", number).await;
    }
    let mut times = BTreeMap::new();
    for _ in 0..50 {
        *times.entry(bench.next().await.what).or_insert(0) += 1;
    }
    bench.silence(Duration::from_secs(600)).await;
    // Two instances of the first service, one of the second.
    let expected = [("broadcast", 20), ("first pooled", 10), ("second pooled", 10), ("single", 10)];
    assert_eq!(times, expected.map(|(what, times)| (what.to_owned(), times)).into());
    for app in apps {
        app.stop().await.unwrap();
    }
    assert_eq!(bench.waiting("evt-kinds-happened--kinds_first.pooled").await, Some(0));
    assert_eq!(bench.waiting("evt-kinds-happened").await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_reliable_queue_keeps_what_comes_while_nobody_runs() {
    let mut bench = Bench::new().await;
    bench.start::<Second>().await.stop().await.unwrap();
    assert!(bench.dispatch("kinds", "happened", json!(null)).await);
    let app = bench.start::<Second>().await;
    let mut both = [bench.next().await.what, bench.next().await.what];
    both.sort();
    assert_eq!(both, ["second pooled", "single"]);
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Patterns {
    journal: Journal,
}

#[service(name = "kinds_patterns")]
impl Patterns {
    #[event_handler("kinds", "order.*", retry(max = 2, backoff = "1s"))]
    async fn on_order(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        self.journal.note(format!("* {}", raw.routing_key()), &cx);
        if cx.attempt() == 1 { Err(kinoko::Error::msg("again")) } else { Ok(()) }
    }

    #[event_handler("kinds", "#", reliable_delivery = false)]
    async fn on_any(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) {
        self.journal.note(format!("# {} {}", raw.exchange(), raw.routing_key()), &cx);
    }

    #[event_handler("kinds", "paid")]
    #[event_handler("kinds", "settled")]
    async fn on_money(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) {
        self.journal.note(format!("money {}", raw.routing_key()), &cx);
    }
}

#[tokio::test(start_paused = true)]
async fn patterns_get_every_event_that_they_match_and_see_which() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Patterns>().await;
    for name in ["order.placed", "order.line.added", "paid", "settled"] {
        assert!(bench.dispatch("kinds", name, json!(null)).await);
    }
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.push(bench.next().await.what);
    }
    seen.sort();
    let expected = [
        "# kinds.events order.line.added",
        "# kinds.events order.placed",
        "# kinds.events paid",
        "# kinds.events settled",
        // The second attempt came by the default exchange, and still tells which event it is.
        "* order.placed",
        "* order.placed",
        "money paid",
        "money settled",
    ];
    assert_eq!(seen, expected);
    bench.silence(Duration::from_secs(600)).await;
    app.stop().await.unwrap();
    assert_eq!(bench.waiting("evt-kinds-#--kinds_patterns.on_any").await, None, "it went with its consumer");
    assert_eq!(bench.waiting("evt-kinds-order.*--kinds_patterns.on_order").await, Some(0));
}
