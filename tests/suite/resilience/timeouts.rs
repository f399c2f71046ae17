//! How long the whole may take, and how long one attempt.

use std::sync::Arc;

use kinoko::resilience::{Bulkhead, Retry};
use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_call_that_is_late_is_dropped_and_may_have_run() {
    let policy = builder().timeout(secs(2)).build().unwrap();
    let (held, began) = (Arc::new(()), Instant::now());
    let call = || {
        let held = held.clone();
        async move {
            pending::<()>().await;
            drop(held);
            Ok::<u32, Told>(1)
        }
    };
    let Err(PolicyError::Refused(refused)) = policy.run(call).await else { panic!("it was let go on") };
    assert_eq!(began.elapsed(), secs(2));
    assert_eq!(refused.reason, Refusal::Timeout { after: secs(2) });
    assert!(refused.may_have_run());
    assert_eq!(refused.to_string(), "`tried` was not over within 2s");
    assert_eq!(Arc::strong_count(&held), 1, "the call is gone");
    assert_eq!(takes(&policy, ms(1_999)).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn the_shorter_of_both_times_ends_an_attempt() {
    let policy = builder().timeout(secs(5)).attempt_timeout(secs(2)).build().unwrap();
    assert_eq!(reason(&takes(&policy, secs(9)).await), Some(Refusal::Timeout { after: secs(2) }));
    let policy = builder().timeout(secs(1)).attempt_timeout(secs(2)).build().unwrap();
    assert_eq!(reason(&takes(&policy, secs(9)).await), Some(Refusal::Timeout { after: secs(1) }));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_time_and_the_last_one_what_is_left() {
    let retry = Retry { idempotent: true, ..Retry::times(9) };
    let policy = builder().timeout(secs(5)).attempt_timeout(secs(2)).retry(retry).build().unwrap();
    let began = Instant::now();
    let came = takes(&policy, secs(9)).await;
    assert_eq!(began.elapsed(), secs(5));
    let Some(Refusal::Timeout { after }) = reason(&came) else { panic!("{came:?}") };
    assert!(after < secs(2), "two attempts and two waits took more than 4 s: {after:?} was left");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_place_takes_of_the_whole_and_not_of_the_attempt() {
    let places = Bulkhead { concurrency: 1, queue: 1 };
    let policy = builder().timeout(secs(5)).attempt_timeout(secs(2)).bulkhead(places).build().unwrap();
    let first = tokio::spawn({
        let policy = policy.clone();
        async move { takes(&policy, secs(2) - ms(1)).await }
    });
    settled().await;
    assert_eq!(takes(&policy, secs(2) - ms(1)).await, Ok(1), "4 s after it began, 2 s after it was let in");
    assert_eq!(first.await.unwrap(), Ok(1));
}
