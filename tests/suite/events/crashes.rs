use std::{collections::BTreeMap, time::Duration};

use kinoko::{prelude::*, protocol::delivery_headers as headers};
use serde_json::json;

use super::{Bench, Journal, header};

#[derive(Dependencies)]
struct Hanging {
    journal: Journal,
}

/// As if its process died: the app is dropped while a worker hangs.
#[service(name = "crashes_hanging")]
impl Hanging {
    #[event_handler("crashes", "work", concurrency = 1, retry(max = 2, backoff = "1s..5s"))]
    async fn on_work(&self, #[inject] cx: WorkerContext, number: u32) {
        self.journal.note(number, &cx);
        if number == 0 {
            std::future::pending::<()>().await;
        }
    }
}

const QUEUE: &str = "evt-crashes-work--crashes_hanging.on_work";

#[tokio::test(start_paused = true)]
async fn a_message_that_ends_every_process_is_kept_and_takes_no_neighbour_along() {
    let mut bench = Bench::new().await;
    let mut app = bench.start::<Hanging>().await;
    bench.dispatch("crashes", "work", 0).await;
    // All of them are in the hands of the first process when it dies, and have not begun.
    bench.dispatch("crashes", "work", 1).await;
    let mut begun = BTreeMap::new();
    let letter = loop {
        let next = tokio::select! {
            entry = bench.entries.recv() => entry.unwrap(),
            () = tokio::time::sleep(Duration::from_secs(600)) => break bench.dead_letter(QUEUE).await,
        };
        assert_eq!(next.context.attempt(), 1);
        let times: &mut u32 = begun.entry(next.what.clone()).or_default();
        *times += 1;
        assert!(*times <= 12, "it ends processes for ever");
        if next.what == "0" {
            drop(app);
            app = bench.start::<Hanging>().await;
        }
    };
    assert_eq!(begun, [("0".to_owned(), 11), ("1".to_owned(), 1)].into());
    assert_eq!((&letter.body[..], header(&letter, headers::DEAD_REASON)), (&b"0"[..], json!("crashed")));
    assert_eq!(header(&letter, headers::DEAD_ATTEMPTS), 1);
    assert_eq!(header(&letter, headers::DELIVERIES), json!(null), "a replay begins to count anew");
    assert_eq!(bench.waiting(QUEUE).await, Some(0));
    app.stop().await.unwrap();
}
