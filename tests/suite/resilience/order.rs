//! The order of the parts: each sentence that the docs of `Policy` say of it.

use std::{cell::Cell, future::ready};

use kinoko::resilience::{Backoff, BreakerState, Bulkhead, RateLimit, Retry};
use tokio::time::{Instant, advance};

use super::*;

fn one_place(queue: usize) -> PolicyBuilder {
    builder().bulkhead(Bulkhead { concurrency: 1, queue })
}

fn opens_at_once() -> CircuitBreaker {
    CircuitBreaker { min_calls: 1, trials: 1, ..breaker() }
}

/// A first attempt fails, and another call has the place before the second one.
#[tokio::test(start_paused = true)]
async fn each_attempt_takes_a_place_anew() {
    let policy = one_place(0).retry(Retry::default()).build().unwrap();
    let repeated = tokio::spawn({
        let policy = policy.clone();
        async move { told(&policy, Told::BusyFor(secs(1))).await }
    });
    settled().await;
    let between = under_way(&policy).await;
    assert!(is_full(&repeated.await.unwrap()), "its place was free while it waited, and is not when it comes back");
    aborted(between).await;
}

#[tokio::test(start_paused = true)]
async fn each_attempt_asks_the_breaker_anew() {
    let policy = builder().breaker(opens_at_once()).retry(Retry::times(5)).build().unwrap();
    let attempts = Cell::new(0);
    let call = || {
        attempts.set(attempts.get() + 1);
        ready(Err::<u32, _>(Told::Busy))
    };
    assert!(is_open(&policy.run(call).await));
    assert_eq!(attempts.get(), 1, "the first one opened it; what a breaker refuses is not repeated");
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_counted_by_the_rate_limit() {
    let limit = RateLimit { calls: 1, per: secs(3600), burst: Some(2) };
    let policy = builder().retry(Retry::times(5)).rate_limit(limit).build().unwrap();
    assert!(is_limited(&told(&policy, Told::Busy).await));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_place_asks_the_breaker_last() {
    let policy = one_place(1).breaker(opens_at_once()).build().unwrap();
    let fails = tokio::spawn({
        let policy = policy.clone();
        async move {
            let call = || async {
                sleep(secs(1)).await;
                Err(Told::Down)
            };
            policy.run(call).await as Came
        }
    });
    settled().await;
    assert_eq!(policy.state(), Some(BreakerState::Closed), "as the next one begins to wait");
    assert!(is_open(&well(&policy).await), "and it is let in to an open one");
    assert_eq!(fails.await.unwrap(), Err(PolicyError::Failed(Told::Down)));
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_comes_before_an_open_circuit() {
    let policy = one_place(0).breaker(opens_at_once()).build().unwrap();
    let holds = under_way(&policy).await;
    policy.force_open();
    assert!(is_full(&well(&policy).await));
    aborted(holds).await;
    assert!(is_open(&well(&policy).await));
}

#[tokio::test(start_paused = true)]
async fn what_an_open_circuit_or_a_full_bulkhead_refuses_takes_nothing_of_the_rate() {
    let limit = RateLimit { calls: 1, per: secs(3600), burst: Some(2) };
    let policy = one_place(0).breaker(opens_at_once()).rate_limit(limit).build().unwrap();
    policy.force_open();
    assert!(is_open(&well(&policy).await));
    policy.force_closed();
    let first = under_way(&policy).await;
    assert!(is_full(&well(&policy).await));
    aborted(first).await;
    assert_eq!(well(&policy).await, Ok(1), "the second one of the burst");
    assert!(is_limited(&well(&policy).await));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_counts_as_no_failure() {
    let limit = RateLimit { calls: 1, per: secs(3600), burst: Some(1) };
    let policy = one_place(0).breaker(opens_at_once()).rate_limit(limit).build().unwrap();
    let holds = under_way(&policy).await;
    for _ in 0..10 {
        assert!(is_full(&well(&policy).await));
    }
    aborted(holds).await;
    for _ in 0..10 {
        assert!(is_limited(&well(&policy).await));
    }
    assert_eq!(policy.state(), Some(BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_whole_time_holds_the_attempts_and_the_waits_between() {
    let wait = Backoff { first: ms(400), longest: ms(400) };
    let retry = Retry { max: 100, backoff: wait, budget: 1.0, idempotent: false };
    for _ in 0..100 {
        let policy = builder().timeout(secs(1)).retry(retry.clone()).build().unwrap();
        let began = Instant::now();
        let call = || async {
            sleep(ms(100)).await;
            Err(Told::Busy)
        };
        let came: Came = policy.run(call).await;
        assert!(came.is_err() && began.elapsed() <= secs(1), "{came:?} after {:?}", began.elapsed());
    }
}

/// From the outside in: the place is taken first, so that what comes after it holds one; and the last part gives all back.
#[tokio::test(start_paused = true)]
async fn whatever_refuses_gives_back_what_came_before_it() {
    let limit = RateLimit { calls: 1, per: secs(10), burst: Some(1) };
    let policy = one_place(0).breaker(opens_at_once()).rate_limit(limit).build().unwrap();
    let _ = told(&policy, Told::Down).await;
    assert!(is_open(&well(&policy).await));
    advance(secs(5)).await;
    assert!(is_limited(&well(&policy).await));
    advance(secs(5)).await;
    assert_eq!(well(&policy).await, Ok(1), "the place and the one trial were given back");
    assert_eq!(policy.state(), Some(BreakerState::Closed));
}
