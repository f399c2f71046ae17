//! Circuit breakers: when calls are no longer tried, and when they are again. Their states are proven in `tests/mutants`.

use std::{cell::Cell, future::ready};

use kinoko::resilience::{BreakerState, CircuitBreaker, Refusal, Window};
use tokio::time::advance;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_circuit_opens_and_says_when_it_tries_again() {
    let policy = builder().breaker(breaker()).build().unwrap();
    assert_eq!(told(&policy, Told::Down).await, Err(PolicyError::Failed(Told::Down)));
    assert_eq!(policy.state(), Some(BreakerState::Closed), "one of two is no share yet");
    assert_eq!(well(&policy).await, Ok(1));
    assert_eq!(policy.state(), Some(BreakerState::Open), "half of two");
    advance(secs(1)).await;
    assert_eq!(reason(&well(&policy).await), Some(Refusal::CircuitOpen { retry_after: Some(secs(4)) }));
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_not_made() {
    let policy = builder().breaker(breaker()).build().unwrap();
    broken(&policy).await;
    let made = Cell::new(false);
    let call = || {
        made.set(true);
        ready(Ok::<u32, Told>(1))
    };
    assert!(is_open(&policy.run(call).await));
    assert!(!made.get(), "not even begun");
}

#[tokio::test(start_paused = true)]
async fn as_many_are_tried_at_once_as_said_and_close_it() {
    let policy = builder().breaker(breaker()).build().unwrap();
    broken(&policy).await;
    advance(secs(5)).await;
    let one = tokio::spawn({
        let policy = policy.clone();
        async move { takes(&policy, secs(1)).await }
    });
    settled().await;
    assert_eq!(policy.state(), Some(BreakerState::HalfOpen));
    assert_eq!(well(&policy).await, Ok(1));
    let third = well(&policy).await;
    assert_eq!(
        reason(&third),
        Some(Refusal::CircuitOpen { retry_after: None }),
        "nobody knows when the first one is over"
    );
    assert_eq!(one.await.unwrap(), Ok(1));
    assert_eq!(policy.state(), Some(BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_fails_opens_it_again() {
    let policy = builder().breaker(breaker()).build().unwrap();
    broken(&policy).await;
    advance(secs(5)).await;
    let _ = told(&policy, Told::Down).await;
    assert_eq!(
        policy.state(),
        Some(BreakerState::Open),
        "one of two trials is half of them, whatever the other one comes to"
    );
    assert!(is_open(&well(&policy).await));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_before_says_nothing_of_now() {
    let policy = builder().breaker(breaker()).build().unwrap();
    let late = tokio::spawn({
        let policy = policy.clone();
        async move { takes(&policy, secs(6)).await }
    });
    settled().await;
    broken(&policy).await;
    advance(secs(5)).await;
    let trial = under_way(&policy).await;
    assert_eq!(late.await.unwrap(), Ok(1));
    assert_eq!(policy.state(), Some(BreakerState::HalfOpen));
    assert_eq!(well(&policy).await, Ok(1));
    assert_eq!(policy.state(), Some(BreakerState::HalfOpen), "one trial of two is over");
    aborted(trial).await;
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it_whatever_they_come_to() {
    let slow = CircuitBreaker { slow_after: Some(secs(1)), ..breaker() };
    let policy = builder().breaker(slow).build().unwrap();
    assert_eq!(takes(&policy, ms(999)).await, Ok(1));
    assert_eq!(takes(&policy, secs(1)).await, Ok(1));
    assert_eq!(policy.state(), Some(BreakerState::Closed));
    let slow = CircuitBreaker { slow_after: Some(secs(1)), slow_rate: 0.5, ..breaker() };
    let policy = builder().breaker(slow).build().unwrap();
    assert_eq!(takes(&policy, ms(999)).await, Ok(1));
    assert_eq!(takes(&policy, secs(1)).await, Ok(1));
    assert_eq!(policy.state(), Some(BreakerState::Open));
}

#[tokio::test(start_paused = true)]
async fn what_times_out_has_failed() {
    let policy = builder().attempt_timeout(secs(1)).breaker(breaker()).build().unwrap();
    for _ in 0..2 {
        assert!(is_late(&takes(&policy, secs(2)).await));
    }
    assert_eq!(policy.state(), Some(BreakerState::Open));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_no_failure() {
    let policy = builder().breaker(breaker()).build().unwrap();
    for _ in 0..100 {
        assert_eq!(told(&policy, Told::No).await, Err(PolicyError::Failed(Told::No)));
    }
    assert_eq!(policy.state(), Some(BreakerState::Closed));
    broken(&policy).await;
    advance(secs(5)).await;
    for _ in 0..2 {
        let _ = told(&policy, Told::No).await;
    }
    assert_eq!(policy.state(), Some(BreakerState::Closed), "whoever says no is well");
}

#[tokio::test(start_paused = true)]
async fn failures_are_forgotten_after_the_window() {
    let timed = CircuitBreaker { window: Window::Time(secs(10)), ..breaker() };
    let policy = builder().breaker(timed).build().unwrap();
    let _ = told(&policy, Told::Down).await;
    advance(secs(10)).await;
    let _ = told(&policy, Told::Down).await;
    assert_eq!(policy.state(), Some(BreakerState::Closed), "one call is in it");
    advance(secs(9)).await;
    let _ = told(&policy, Told::Down).await;
    assert_eq!(policy.state(), Some(BreakerState::Open), "two are");
}

#[tokio::test(start_paused = true)]
async fn who_forces_it_is_obeyed_until_the_release() {
    let policy = builder().breaker(breaker()).build().unwrap();
    policy.force_open();
    assert_eq!(policy.state(), Some(BreakerState::ForcedOpen));
    advance(secs(3600)).await;
    assert_eq!(reason(&well(&policy).await), Some(Refusal::CircuitOpen { retry_after: None }));
    policy.force_closed();
    for _ in 0..100 {
        assert_eq!(told(&policy, Told::Down).await, Err(PolicyError::Failed(Told::Down)));
    }
    assert_eq!(policy.state(), Some(BreakerState::ForcedClosed));
    policy.release();
    assert_eq!(policy.state(), Some(BreakerState::Closed), "it begins with nothing counted");
    let _ = told(&policy, Told::Down).await;
    assert_eq!(policy.state(), Some(BreakerState::Closed));
    broken(&policy).await;
    policy.release();
    assert_eq!(policy.state(), Some(BreakerState::Open), "what is not forced is not released");
}

#[tokio::test(start_paused = true)]
async fn without_a_circuit_there_is_none_to_force() {
    let policy = builder().timeout(secs(1)).build().unwrap();
    policy.force_open();
    assert_eq!((policy.state(), well(&policy).await), (None, Ok(1)));
}
