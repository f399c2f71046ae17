//! What a method does in its transaction and what is kept of it: both, or neither.

use std::process::{Command, Stdio};

use kinoko::CallError;

use super::{Place, on_each_database};

on_each_database! {
    async fn where_the_commit_fails_nothing_is_kept(place: Place) {
        let mut one = place.instance().await;
        for _ in 0..2 {
            one.client().charge("o-1".into(), 404, None).idempotency_key("k").await.unwrap_err();
        }
        assert_eq!(one.begun().len(), 2);
        assert_eq!((place.entries().await, place.number("SELECT COUNT(*) FROM kinoko_inbox").await), (0, 0));
        one.app.stop().await.unwrap();
    }

    async fn a_process_that_dies_before_its_commit_has_done_nothing(place: Place) {
        dies(&place, "before");
        assert_eq!((place.entries().await, place.number("SELECT COUNT(*) FROM kinoko_inbox WHERE state = 'running'").await), (0, 1));
        // Whoever comes next waits for the lease, and does it.
        let mut one = place.instance().await;
        one.client().charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
        assert_eq!((one.begun().len(), place.entries().await), (1, 1));
        one.app.stop().await.unwrap();
    }

    async fn a_process_that_dies_after_its_commit_has_done_it(place: Place) {
        dies(&place, "after");
        let mut one = place.instance().await;
        let receipt = one.client().charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
        assert_eq!((receipt.number, one.begun().len(), place.entries().await), (77, 0, 1));
        one.app.stop().await.unwrap();
    }
}

/// A process with a service of the same name that calls itself and is killed: before the transaction's commit, or after it.
fn dies(place: &Place, when: &str) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_program-payments"));
    let program = program.env_clear().env("KINOKO_DATABASE__URL", &place.url).env("KINOKO_IDEMPOTENCY__LEASE", "300ms");
    let ended = program.env("DIES", when).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && told.contains("dies here"), "{ended:?}: {told}");
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs a database: KINOKO_TEST_POSTGRES_URL")]
async fn a_run_that_was_taken_over_is_rolled_back() {
    let place = Place::postgres().await;
    let (mut one, two) = (place.instance().await, place.instance().await);
    one.hold();
    let first = one.client().charge("o-1".into(), 5, None).idempotency_key("k").send().await.unwrap();
    one.next().await;
    place.expire().await;
    let second = two.client().charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
    one.let_go(1);
    let error = first.await.unwrap_err();
    let CallError::Remote(fault) = error else { panic!("{error:?}") };
    assert_eq!((fault.code.as_deref(), fault.retryable), (Some("IDEMPOTENCY_LEASE_LOST"), Some(true)));
    assert_eq!(place.entries().await, 1);
    let third = one.client().charge("o-1".into(), 5, None).idempotency_key("k").await.unwrap();
    assert_eq!(third, second);
    one.app.stop().await.unwrap();
    two.app.stop().await.unwrap();
}
