//! What is kept, of what, for whom and for how long.

use std::time::Duration;

use kinoko::{CallError, Value};
use kinoko_tests::eventually;
use serde_json::json;

use super::{PaymentError, on_each_database};

on_each_database! {
    async fn a_second_call_gets_the_answer_of_the_first(place: Place) {
        let mut one = place.instance().await;
        let client = one.client();
        let first = client.charge("o-1".into(), 5, None).idempotency_key("k-1").await.unwrap();
        let second = client.charge("o-1".into(), 5, None).idempotency_key("k-1").await.unwrap();
        assert_eq!(first, second);
        assert_eq!((one.begun().len(), place.entries().await), (1, 1));
        // Another key, another method with the same key, and no key at all are something else.
        let other = client.charge("o-1".into(), 5, None).idempotency_key("k-2").await.unwrap();
        assert_ne!(other.number, first.number);
        client.quote("o-1".into()).idempotency_key("k-1").await.unwrap();
        for _ in 0..2 {
            client.charge("o-1".into(), 5, None).await.unwrap();
        }
        assert_eq!((one.begun().len(), place.entries().await), (4, 4));
        one.app.stop().await.unwrap();
        // Another instance, later.
        let mut two = place.instance().await;
        let third = two.client().charge("o-1".into(), 5, None).idempotency_key("k-1").await.unwrap();
        assert_eq!((third, two.begun().len()), (first, 0));
        two.app.stop().await.unwrap();
    }

    async fn the_caller_gets_the_answer_in_its_own_codec(place: Place) {
        let mut one = place.instance().await;
        let typed = one.client().charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
        let proxy = one.app.proxy();
        // In JSON, by name, with an argument that is null there and left out here.
        for call in [
            proxy.call("idempotency_payments", "charge").arg("o-1").arg(5).arg(Value::Null),
            proxy.call("idempotency_payments", "charge").kwarg("cents", 5).kwarg("order", "o-1"),
        ] {
            let answer = call.idempotency_key("k").await.unwrap();
            assert_eq!(answer, json!({"number": typed.number, "order": "o-1"}));
        }
        // And the other way.
        let by_name = proxy.call("idempotency_payments", "charge").arg("o-2").arg(5).idempotency_key("k-2");
        let first = by_name.await.unwrap();
        let second = one.client().charge("o-2".into(), 5, None).idempotency_key("k-2").await.unwrap();
        assert_eq!(first["number"], json!(second.number));
        assert_eq!(one.begun().len(), 2);
        one.app.stop().await.unwrap();
    }

    async fn a_key_with_other_arguments_is_refused(place: Place) {
        let mut one = place.instance().await;
        let client = one.client();
        client.charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
        let refused = client.charge("o-1".into(), 6, None).idempotency_key("k").await.unwrap_err();
        let CallError::Remote(fault) = refused else { panic!("{refused:?}") };
        assert_eq!(fault.code.as_deref(), Some("IDEMPOTENCY_KEY_REUSED"));
        assert_eq!((fault.retryable, fault.http), (Some(false), Some(422)));
        assert_eq!(fault.value, "the idempotency key `k` was used before with other arguments: one that asks for something else needs a key of its own");
        assert_eq!((one.begun().len(), place.entries().await), (1, 1));
        // Also while the first is at it.
        one.hold();
        let first = client.charge("o-2".into(), 5, None).idempotency_key("k-2").send().await.unwrap();
        one.next().await;
        // A second instance, since the one at hand lets them stand in line.
        let mut two = place.instance().await;
        let refused = two.client().charge("o-2".into(), 6, None).idempotency_key("k-2");
        let refused = refused.await;
        let Err(CallError::Remote(fault)) = refused else { panic!("{refused:?}") };
        assert_eq!(fault.code.as_deref(), Some("IDEMPOTENCY_KEY_REUSED"));
        assert!(two.begun().is_empty());
        one.let_go(1);
        first.await.unwrap();
        one.app.stop().await.unwrap();
        two.app.stop().await.unwrap();
    }

    async fn nobody_gets_what_was_kept_for_another_user(place: Place) {
        let mut one = place.instance().await;
        let client = one.client();
        let mut numbers = Vec::new();
        for user in [json!("ada"), json!("bob"), json!(7), Value::Null, json!("ada")] {
            let call = client.charge("o-1".into(), 5, None).context("user_id", user).idempotency_key("k");
            numbers.push(call.await.unwrap().number);
        }
        assert_eq!((one.begun().len(), numbers[0] == numbers[4]), (4, true), "{numbers:?}");
        one.app.stop().await.unwrap();
    }

    async fn an_error_that_means_something_is_kept_and_one_to_try_again_is_not(place: Place) {
        let mut one = place.instance().await;
        let client = one.client();
        for _ in 0..2 {
            let error = client.charge("o-1".into(), 402, None).idempotency_key("declined").await.unwrap_err();
            let CallError::Service(error) = error else { panic!("{error:?}") };
            assert_eq!(error, PaymentError::Declined { order: "o-1".into() });
        }
        assert_eq!(one.begun().len(), 1, "it was declined once");
        for _ in 0..2 {
            let error = client.charge("o-1".into(), 503, None).idempotency_key("busy").await.unwrap_err();
            assert!(matches!(error, CallError::Service(PaymentError::Busy)), "{error:?}");
        }
        assert_eq!(one.begun().len(), 2, "it was busy twice");
        for order in ["lost", "panic"] {
            for _ in 0..2 {
                client.quote(order.into()).idempotency_key(order).await.unwrap_err();
            }
            assert_eq!(one.begun(), [order, order]);
        }
        assert_eq!((place.entries().await, place.number("SELECT COUNT(*) FROM kinoko_inbox").await), (0, 1));
        one.app.stop().await.unwrap();
    }

    async fn what_ran_out_of_time_is_not_kept(place: Place) {
        let mut one = place.instance().await;
        let client = one.client();
        one.hold();
        // On a busy machine one may be late before it has begun.
        while one.begun().is_empty() {
            client.hurry().idempotency_key("k").timeout(Duration::from_millis(500)).await.unwrap_err();
        }
        // The caller may see the end of its time before the worker does.
        let given_up = || async { (one.app.running_workers() == 0).then_some(()) };
        eventually(Duration::from_secs(20), "the worker has given up", given_up).await;
        one.let_go(1);
        client.hurry().idempotency_key("k").await.unwrap();
        assert_eq!(one.begun().len(), 1);
        one.app.stop().await.unwrap();
    }

    async fn without_a_key_a_method_that_needs_one_says_which(place: Place) {
        let mut one = place.instance().await;
        let client = one.client();
        for call in [client.strict(), client.strict().idempotency_key(""), client.strict().header("kinoko.idempotency_key", Value::Null)] {
            let error = call.await.unwrap_err();
            let CallError::BadRequest(text) = error else { panic!("{error:?}") };
            assert!(text.contains("`idempotency_payments.strict`") && text.contains("`kinoko.idempotency_key`"), "{text}");
        }
        assert!(one.begun().is_empty());
        let first = client.strict().idempotency_key("k").await.unwrap();
        assert_eq!(client.strict().idempotency_key("k").await.unwrap(), first);
        one.app.stop().await.unwrap();
    }

    async fn an_answer_is_kept_for_the_window_and_then_deleted(place: Place) {
        let mut one = place.instance_with("idempotency:\n  window: 2h\n  sweep: 20ms\n").await;
        let client = one.client();
        let first = client.quote("o-1".into()).idempotency_key("k").await.unwrap();
        client.charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
        let now = if place.is_sqlite() {
            "SELECT until - CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM kinoko_inbox ORDER BY until"
        } else {
            "SELECT until - CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) FROM kinoko_inbox ORDER BY until"
        };
        let left: Vec<i64> = sqlx::query_scalar(now).fetch_all(&*place.db).await.unwrap();
        for (left, hours) in left.iter().zip([1, 2]) {
            let window = hours * 3_600_000;
            assert!((window - 60_000..=window).contains(left), "{left} of {window}: the method says 1 h, the settings 2");
        }
        place.expire().await;
        let gone = || async { (place.number("SELECT COUNT(*) FROM kinoko_inbox").await == 0).then_some(()) };
        eventually(Duration::from_secs(20), "they are deleted", gone).await;
        assert_ne!(client.quote("o-1".into()).idempotency_key("k").await.unwrap(), first);
        one.begun();
        one.app.stop().await.unwrap();
    }

    async fn what_is_over_is_over_before_it_is_deleted(place: Place) {
        let mut one = place.instance().await;
        let client = one.client();
        let first = client.charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
        place.expire().await;
        let second = client.charge("o-2".into(), 6, None).idempotency_key("k").await.unwrap();
        assert_ne!(first.number, second.number);
        assert_eq!(client.charge("o-2".into(), 6, None).idempotency_key("k").await.unwrap(), second);
        assert_eq!(one.begun(), ["o-1", "o-2"]);
        one.app.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_of_nothing_ends_the_start() {
    let place = super::Place::sqlite().await;
    let yaml = format!("database:\n  url: \"{}\"\nidempotency:\n  lease: 0s\n", place.url);
    let (runs, _) = tokio::sync::mpsc::unbounded_channel();
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let desk = super::Desk { runs, gate, number: std::sync::Arc::default() };
    let app = kinoko::testing::TestApp::new().service::<super::Payments>().replace(desk).yaml(&yaml);
    let error = app.start().await.err().unwrap().chain();
    assert!(error.contains("idempotency.lease") && error.contains("longer than nothing"), "{error}");
}

#[tokio::test]
async fn a_client_without_a_container_remembers_too() {
    let place = super::Place::sqlite().await;
    let (runs, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(9));
    let desk = super::Desk { runs, gate, number: std::sync::Arc::default() };
    let client = super::PaymentsClient::from_service(super::Payments { db: place.db.clone(), desk });
    let first = client.charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
    assert_eq!(client.charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap(), first);
    begun.try_recv().unwrap();
    assert!(begun.try_recv().is_err());
}
