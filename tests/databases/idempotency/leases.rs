//! One run at a time: what waits, and who takes over.

use std::time::Duration;

use kinoko::CallError;

use super::{A_WHILE, on_each_database};

on_each_database! {
    async fn a_second_run_in_another_process_waits_for_the_first(place: Place) {
        let (mut one, mut two) = (place.instance().await, place.instance().await);
        one.hold();
        let first = one.client().charge("o-1".into(), 5, None).idempotency_key("k").send().await.unwrap();
        one.next().await;
        let second = two.client().charge("o-1".into(), 5, None).idempotency_key("k").send().await.unwrap();
        two.silence(A_WHILE).await;
        one.let_go(1);
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert_eq!(first, second);
        assert_eq!((two.begun().len(), place.entries().await), (0, 1));
        one.app.stop().await.unwrap();
        two.app.stop().await.unwrap();
    }

    async fn one_that_waits_runs_where_the_first_has_failed(place: Place) {
        let (mut one, mut two) = (place.instance().await, place.instance().await);
        one.hold();
        let first = one.client().quote("lost".into()).idempotency_key("k").send().await.unwrap();
        one.next().await;
        let second = two.client().quote("lost".into()).idempotency_key("k").send().await.unwrap();
        two.silence(A_WHILE).await;
        one.let_go(1);
        first.await.unwrap_err();
        assert_eq!(two.next().await, "lost");
        second.await.unwrap_err();
        one.app.stop().await.unwrap();
        two.app.stop().await.unwrap();
    }

    async fn one_that_waits_leaves_its_slot_to_others_and_ends_at_its_deadline(place: Place) {
        let mut one = place.instance_with("max_workers: 2\n").await;
        let client = one.client();
        one.hold();
        let first = client.quote("o-1".into()).idempotency_key("k").send().await.unwrap();
        one.next().await;
        let mut waiting = Vec::new();
        for _ in 0..5 {
            waiting.push(client.quote("o-1".into()).idempotency_key("k").send().await.unwrap());
        }
        let late = client.quote("o-1".into()).idempotency_key("k").timeout(A_WHILE).send().await.unwrap();
        // Of two slots one is the first one's, and the other free.
        let free = client.free().send().await.unwrap();
        assert_eq!(one.next().await, "free");
        assert!(matches!(late.await, Err(CallError::Timeout(_))));
        one.let_go(2);
        let number = first.await.unwrap();
        free.await.unwrap();
        for call in waiting {
            assert_eq!(call.await.unwrap(), number);
        }
        assert!(one.begun().is_empty());
        one.app.stop().await.unwrap();
    }

    async fn a_run_that_is_alive_keeps_its_key(place: Place) {
        let lease = "idempotency:\n  lease: 300ms\n";
        let (mut one, mut two) = (place.instance_with(lease).await, place.instance_with(lease).await);
        one.hold();
        let first = one.client().quote("o-1".into()).idempotency_key("k").send().await.unwrap();
        one.next().await;
        let second = two.client().quote("o-1".into()).idempotency_key("k").send().await.unwrap();
        // Four leases: each third of one it is renewed.
        two.silence(Duration::from_millis(1200)).await;
        one.let_go(1);
        let number = first.await.unwrap();
        assert_eq!(second.await.unwrap(), number);
        one.app.stop().await.unwrap();
        two.app.stop().await.unwrap();
    }

    async fn a_run_that_is_taken_for_dead_is_taken_over_and_keeps_nothing(place: Place) {
        let (mut one, two) = (place.instance().await, place.instance().await);
        one.hold();
        let first = one.client().quote("o-1".into()).idempotency_key("k").send().await.unwrap();
        one.next().await;
        place.expire().await;
        let second = two.client().quote("o-1".into()).idempotency_key("k").await.unwrap();
        one.let_go(1);
        // It has been done: its caller is told so. What is kept is the other one's.
        assert_ne!(first.await.unwrap(), second);
        let third = one.client().quote("o-1".into()).idempotency_key("k").await.unwrap();
        assert_eq!(third, second);
        one.app.stop().await.unwrap();
        two.app.stop().await.unwrap();
    }

    async fn a_stopped_instance_leaves_its_keys_to_others(place: Place) {
        let mut one = place.instance_with("grace_period: 0s\n").await;
        one.hold();
        let first = one.client().charge("o-1".into(), 5, None).idempotency_key("k").send().await.unwrap();
        one.next().await;
        assert!(one.app.stop().await.unwrap_err().to_string().contains("1 workers were dropped"));
        drop(first);
        // Long before the lease of 10 s is over.
        let mut two = place.instance().await;
        let call = two.client().charge("o-1".into(), 5, None).idempotency_key("k").timeout(Duration::from_secs(5));
        call.await.unwrap();
        assert_eq!((two.begun().len(), place.entries().await), (1, 1));
        two.app.stop().await.unwrap();
    }
}
