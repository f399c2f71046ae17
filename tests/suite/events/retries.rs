use std::time::Duration;

use kinoko::{prelude::*, protocol::delivery_headers as headers};
use serde_json::json;

use super::{Bench, Journal, event, header};

#[derive(Dependencies)]
struct Failing {
    journal: Journal,
}

const SOURCE: &str = "retries";

#[service(name = "retries_failing")]
impl Failing {
    #[event_handler("retries", "poison", retry(max = 4, backoff = "1s..3s", jitter = false))]
    async fn on_poison(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        self.journal.note(format!("{} {} {}", cx.attempt(), raw.attempt(), raw.routing_key()), &cx);
        let number: u32 = raw.decode()?;
        if number == 0 { Err(kinoko::Error::msg("zero is poison")) } else { Ok(()) }
    }

    #[event_handler("retries", "default")]
    async fn on_default(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        self.journal.note(cx.attempt(), &cx);
        Err(kinoko::Error::msg("always"))
    }

    #[event_handler("retries", "endless", requeue_on_error, retry(backoff = "1s..4s", jitter = false))]
    async fn on_endless(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        self.journal.note(cx.attempt(), &cx);
        if cx.attempt() < 50 { Err(kinoko::Error::msg("not yet")) } else { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_always_fails_has_its_attempts_and_then_a_dead_letter() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Failing>().await;
    let mut message = event(SOURCE, "poison", 0);
    message.properties.correlation_id = Some("mine".into());
    message.properties.headers.set("x-death", json!([{"count": 3}]));
    message.properties.headers.set("CC", json!(["another_queue"]));
    message.properties.headers.set("foreign", json!({"kept": true}));
    message.properties.expiration = Some(Duration::from_secs(2));
    message.properties.user_id = Some("guest".into());
    message.properties.priority = Some(3);
    message.properties.persistent = false;
    assert!(bench.publish(message).await);

    let mut delays = Vec::new();
    for (attempt, at) in [(1, 0), (2, 1), (3, 3), (4, 6)] {
        let entry = bench.next().await;
        assert_eq!(entry.what, format!("{attempt} {attempt} poison"));
        assert!(!entry.context.redelivered());
        delays.push((entry.at, Duration::from_secs(at)));
    }
    for (at, expected) in delays {
        assert!(at >= expected && at < expected + Duration::from_millis(50), "at {at:?} instead of {expected:?}");
    }
    let queue = "evt-retries-poison--retries_failing.on_poison";
    let letter = bench.dead_letter(queue).await;
    bench.silence(Duration::from_secs(600)).await;
    assert_eq!(bench.waiting(queue).await, Some(0));

    for (name, expected) in [
        (headers::DEAD_REASON, json!("attempts")),
        (headers::DEAD_ERROR, json!("zero is poison")),
        (headers::DEAD_ERROR_TYPE, json!("InternalError")),
        (headers::DEAD_ATTEMPTS, json!(4)),
        (headers::DEAD_QUEUE, json!(queue)),
        (headers::DEAD_SERVICE, json!("retries_failing")),
        (headers::DEAD_METHOD, json!("on_poison")),
        (headers::DEAD_EXCHANGE, json!("retries.events")),
        (headers::DEAD_ROUTING_KEY, json!("poison")),
        (headers::DEAD_CODE, json!(null)),
        ("nameko.language", json!("de")),
        ("foreign", json!({"kept": true})),
        ("x-death", json!(null)),
        ("CC", json!(null)),
    ] {
        assert_eq!(header(&letter, name), expected, "{name}");
    }
    let at = |name| header(&letter, name).as_u64().unwrap();
    assert!(at(headers::DEAD_FIRST_AT) <= at(headers::DEAD_AT) && at(headers::DEAD_FIRST_AT) > 1_700_000_000_000);
    assert_eq!(&letter.body[..], b"0");
    let properties = &letter.properties;
    assert_eq!(properties.correlation_id.as_deref(), Some("mine"));
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert_eq!(properties.priority, Some(3));
    assert!(properties.persistent && properties.message_id.is_some());
    // It came in time and must not vanish now; and the broker looks at who says that he publishes.
    assert_eq!((properties.expiration, &properties.user_id), (None, &None));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn neighbours_are_handled_while_a_failed_message_waits() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Failing>().await;
    bench.dispatch(SOURCE, "poison", 0).await;
    assert_eq!(bench.next().await.what, "1 1 poison");
    let before = bench.journal.began.elapsed();
    for number in 1..=200 {
        bench.dispatch(SOURCE, "poison", number).await;
        assert_eq!(bench.next().await.what, "1 1 poison");
    }
    assert_eq!(bench.journal.began.elapsed(), before, "no neighbour has waited");
    assert_eq!(bench.next().await.what, "2 2 poison");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_a_word_there_are_five_attempts_with_jitter() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Failing>().await;
    bench.dispatch(SOURCE, "default", json!(null)).await;
    let mut last = bench.next().await.at;
    let mut early = 0;
    for longest in [1, 2, 4, 8] {
        let at = bench.next().await.at;
        let (delay, longest) = (at - last, Duration::from_secs(longest));
        assert!(delay >= longest / 2 && delay < longest + Duration::from_millis(50), "{delay:?} of {longest:?}");
        early += u32::from(delay < longest * 99 / 100);
        last = at;
    }
    assert!(early > 0, "by chance once in six million runs");
    let letter = bench.dead_letter("evt-retries-default--retries_failing.on_default").await;
    assert_eq!(header(&letter, headers::DEAD_ATTEMPTS), json!(5));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requeue_on_error_tries_without_end_and_with_backoff() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Failing>().await;
    bench.dispatch(SOURCE, "endless", json!(null)).await;
    for attempt in 1..=50 {
        assert_eq!(bench.next().await.what, attempt.to_string());
    }
    assert!(bench.journal.began.elapsed() >= Duration::from_secs(1 + 2 + 47 * 4));
    bench.silence(Duration::from_secs(60)).await;
    assert_eq!(bench.waiting("kinoko.dead-evt-retries-endless--retries_failing.on_endless").await.unwrap_or(0), 0);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_sent_back_begins_anew_under_its_first_name() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Failing>().await;
    bench.dispatch(SOURCE, "poison", 0).await;
    for _ in 1..=4 {
        bench.next().await;
    }
    let queue = "evt-retries-poison--retries_failing.on_poison";
    let letter = bench.dead_letter(queue).await;
    let mut again = (*letter).clone();
    (again.exchange, again.routing_key) = ("".into(), queue.into());
    again.properties.headers.retain(|name| {
        !name.starts_with(headers::DEAD)
            && ![headers::ATTEMPT, headers::FIRST_FAILURE, headers::LAST_ERROR].contains(&name)
    });
    again.body = "7".into();
    assert!(bench.publish(again).await);
    let entry = bench.next().await;
    assert_eq!(entry.what, "1 1 poison");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_tells_when_the_first_of_all_attempts_failed() {
    const THEN: u64 = 1_700_000_000_000;
    let mut bench = Bench::new().await;
    let app = bench.start::<Failing>().await;
    let mut message = event(SOURCE, "poison", 0);
    message.properties.headers.set(headers::ATTEMPT, 3);
    message.properties.headers.set(headers::FIRST_FAILURE, THEN);
    assert!(bench.publish(message).await);
    assert_eq!(bench.next().await.what, "3 3 poison");
    assert_eq!(bench.next().await.what, "4 4 poison");
    let letter = bench.dead_letter("evt-retries-poison--retries_failing.on_poison").await;
    assert_eq!(header(&letter, headers::DEAD_FIRST_AT), json!(THEN));
    assert!(header(&letter, headers::DEAD_AT).as_u64().unwrap() > THEN);
    app.stop().await.unwrap();
}
