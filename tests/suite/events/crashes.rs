use std::time::Duration;

use kinoko::{
    prelude::*,
    protocol::{Message, delivery_headers as headers},
};
use kinoko_tests::Deliveries;
use serde_json::json;

use super::{Bench, Journal, header, json_properties};

#[derive(Dependencies)]
struct Hanging {
    journal: Journal,
}

/// As if its process died: the app is dropped while a worker hangs.
#[service(name = "crashes_hanging")]
impl Hanging {
    #[event_handler("crashes", "work", concurrency = 1, retry(max = 2, backoff = "1s..5s", jitter = false))]
    async fn on_work(&self, #[inject] cx: WorkerContext, number: u32) -> kinoko::Result<()> {
        self.journal.note(number, &cx);
        match (number, cx.attempt()) {
            (2, 1) => Err(kinoko::Error::msg("the first time it fails")),
            (0 | 2, _) => std::future::pending().await,
            _ => Ok(()),
        }
    }

    #[event_handler("crashes", "batch", batch = 2, within = "1s", retry(backoff = "1s..5s"))]
    async fn on_batch(&self, #[inject] cx: WorkerContext, numbers: Vec<u32>) {
        self.journal.note(format!("{numbers:?}"), &cx);
        std::future::pending().await
    }
}

const QUEUE: &str = "evt-crashes-work--crashes_hanging.on_work";

#[tokio::test(start_paused = true)]
async fn a_message_that_ends_every_process_comes_less_and_less_often_and_is_kept() {
    let mut bench = Bench::new().await;
    let mut app = bench.start::<Hanging>().await;
    // The second is in the hands of the first process when it dies, and has not begun.
    bench.dispatch("crashes", "work", 0).await;
    bench.dispatch("crashes", "work", 1).await;
    let (mut neighbours, mut deaths) = (0, Vec::new());
    let letter = loop {
        let next = tokio::select! {
            entry = bench.entries.recv() => entry.unwrap(),
            () = tokio::time::sleep(Duration::from_secs(600)) => break bench.dead_letter(QUEUE).await,
        };
        assert_eq!(next.context.attempt(), 1, "no attempt has failed");
        if next.what == "0" {
            deaths.push(next.at);
            assert!(deaths.len() <= 11, "it ends processes for ever");
            drop(app);
            app = bench.start::<Hanging>().await;
        } else {
            neighbours += 1;
        }
    };
    assert_eq!((deaths.len(), neighbours), (11, 1));
    let delays: Vec<_> = deaths.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    let least = [100, 500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000];
    assert!(delays.iter().zip(least).all(|(delay, least)| *delay >= least), "{delays:?}");
    let longest = [100, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000];
    let early = delays.iter().zip(longest).filter(|(delay, longest)| **delay < longest * 99 / 100).count();
    assert!(early > 0, "those that end processes come apart, whatever the handler says of jitter: {delays:?}");
    assert_eq!((&letter.body[..], header(&letter, headers::DEAD_REASON)), (&b"0"[..], json!("crashed")));
    assert_eq!(header(&letter, headers::DEAD_ATTEMPTS), 1);
    assert_eq!(header(&letter, headers::DELIVERIES), json!(null), "a replay begins to count anew");
    assert_eq!(bench.waiting(QUEUE).await, Some(0));
    app.stop().await.unwrap();
}

/// As a Python instance does with `requeue_on_error`, which takes what kinoko wants to count as often as kinoko.
async fn hand_back(bench: &Bench, times: u32) {
    let (sink, deliveries) = Deliveries::new();
    let consumer = bench.transport.consume(QUEUE.into(), 1, sink).await.unwrap();
    for _ in 0..times {
        deliveries.next().await.requeue();
    }
    let last = deliveries.next().await;
    consumer.cancel().await;
    assert!(last.redelivered());
    last.requeue();
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_hands_back_is_begun_however_often_that_was() {
    const MARK: &str = "0b0d1ab3-6d0c-4b5a-9d4b-4d4b2f6ad3a1";
    let mut bench = Bench::new().await;
    bench.start::<Hanging>().await.stop().await.unwrap();
    let mut properties = json_properties();
    properties.headers.set(headers::DELIVERIES, 10);
    properties.headers.set(headers::BEGUN, MARK);
    let message = Message { exchange: "".into(), routing_key: QUEUE.into(), properties, body: "1".into() };
    assert!(bench.publish(message).await);
    hand_back(&bench, 20).await;

    let app = bench.start::<Hanging>().await;
    let entry = bench.next().await;
    assert_eq!((&*entry.what, entry.at, entry.context.attempt()), ("1", Duration::ZERO, 1));
    app.stop().await.unwrap();
    assert_eq!(bench.waiting(QUEUE).await, Some(0));
    assert_eq!(bench.waiting(&format!("kinoko.dead-{QUEUE}")).await.unwrap_or(0), 0);
    assert_eq!(bench.waiting(&format!("kinoko.begun-{MARK}")).await, None, "its mark is gone");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_begun_counts_although_somebody_else_handed_it_back_since() {
    let mut bench = Bench::new().await;
    let mut app = bench.start::<Hanging>().await;
    bench.dispatch("crashes", "work", 0).await;
    for _ in 0..10 {
        bench.next().await;
        drop(app);
        hand_back(&bench, 3).await;
        app = bench.start::<Hanging>().await;
    }
    bench.next().await;
    drop(app);
    let app = bench.start::<Hanging>().await;
    let letter = bench.dead_letter(QUEUE).await;
    assert_eq!(
        (header(&letter, headers::DEAD_REASON), header(&letter, headers::BEGUN)),
        (json!("crashed"), json!(null))
    );
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_fails_ends_the_count() {
    let mut bench = Bench::new().await;
    bench.start::<Hanging>().await.stop().await.unwrap();
    let mut properties = json_properties();
    properties.headers.set(headers::DELIVERIES, 10);
    properties.headers.set(headers::BEGUN, "0b0d1ab3-6d0c-4b5a-9d4b-4d4b2f6ad3a1");
    let message = Message { exchange: "".into(), routing_key: QUEUE.into(), properties, body: "2".into() };
    assert!(bench.publish(message).await);
    let app = bench.start::<Hanging>().await;
    assert_eq!(bench.next().await.context.attempt(), 1);
    assert_eq!(bench.next().await.context.attempt(), 2);
    drop(app);
    let app = bench.start::<Hanging>().await;
    assert_eq!(bench.next().await.context.attempt(), 2, "it was begun twice, and not twelve times");
    drop(app);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_ends_every_process_is_kept() {
    let mut bench = Bench::new().await;
    let mut app = bench.start::<Hanging>().await;
    bench.dispatch("crashes", "batch", 7).await;
    let mut deaths = 0;
    let letter = loop {
        tokio::select! {
            _ = bench.entries.recv() => deaths += 1,
            () = tokio::time::sleep(Duration::from_secs(600)) => {
                break bench.dead_letter("evt-crashes-batch--crashes_hanging.on_batch").await;
            }
        }
        assert!(deaths <= 11, "it ends processes for ever");
        drop(app);
        app = bench.start::<Hanging>().await;
    };
    assert_eq!((deaths, header(&letter, headers::DEAD_REASON)), (11, json!("crashed")));
    app.stop().await.unwrap();
}
