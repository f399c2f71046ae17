//! Rate limits: so many begin in a while.

use kinoko::resilience::{BreakerState, RateLimit};
use tokio::time::advance;

use super::*;

#[tokio::test(start_paused = true)]
async fn as_many_begin_at_once_as_the_burst_and_then_evenly() {
    let limit = RateLimit { calls: 10, per: secs(1), burst: Some(3) };
    let policy = builder().rate_limit(limit).build().unwrap();
    for _ in 0..3 {
        assert_eq!(well(&policy).await, Ok(1));
    }
    let Some(Refusal::RateLimited { retry_after }) = reason(&well(&policy).await) else { panic!("the fourth") };
    assert_eq!(retry_after, ms(100));
    advance(ms(99)).await;
    assert!(is_limited(&well(&policy).await));
    advance(ms(1)).await;
    assert_eq!(well(&policy).await, Ok(1));
    assert!(is_limited(&well(&policy).await));
    advance(secs(3600)).await;
    for _ in 0..3 {
        assert_eq!(well(&policy).await, Ok(1));
    }
    assert!(is_limited(&well(&policy).await), "an hour saves up no more than the burst");
}

#[tokio::test(start_paused = true)]
async fn without_a_burst_all_of_a_while_may_begin_at_once() {
    let policy = builder().rate_limit(RateLimit::parse("5/m").unwrap()).build().unwrap();
    for _ in 0..5 {
        assert_eq!(well(&policy).await, Ok(1));
    }
    assert!(is_limited(&well(&policy).await));
    advance(secs(12)).await;
    assert_eq!(well(&policy).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_over_the_limit_holds_no_trial() {
    let limit = RateLimit { calls: 1, per: secs(10), burst: Some(2) };
    let policy = builder().breaker(CircuitBreaker { trials: 1, ..breaker() }).rate_limit(limit).build().unwrap();
    broken(&policy).await;
    advance(secs(5)).await;
    assert!(is_limited(&well(&policy).await), "the circuit would have let it through");
    assert_eq!(policy.state(), Some(BreakerState::HalfOpen));
    advance(secs(5)).await;
    assert_eq!(well(&policy).await, Ok(1));
    assert_eq!(policy.state(), Some(BreakerState::Closed));
}

#[test]
fn rates_are_read_as_people_write_them() {
    let rate = |calls, per| Ok(RateLimit { calls, per, burst: None });
    assert_eq!(RateLimit::parse("100/s"), rate(100, secs(1)));
    assert_eq!(RateLimit::parse("6000 / m"), rate(6000, secs(60)));
    assert_eq!(RateLimit::parse("50/200ms"), rate(50, ms(200)));
    for wrong in ["100", "x/s", "-1/s", "1/parsec", ""] {
        assert_eq!(
            RateLimit::parse(wrong),
            Err(format!("`{wrong}` is no rate: write calls and a time, `100/s` or `50/200ms`"))
        );
    }
}
