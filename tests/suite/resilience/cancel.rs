//! Calls that are dropped, wherever they are: nothing that they held stays taken.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use fastrand::Rng;
use kinoko::resilience::{Backoff, BreakerState, Bulkhead, RateLimit, Retry};
use tokio::{
    task::JoinSet,
    time::{advance, timeout},
};

use super::*;

const PLACES: usize = 3;

/// All parts; what is limited by time is limited by little.
fn whole() -> PolicyBuilder {
    let backoff = Backoff { first: ms(5), longest: ms(20) };
    builder()
        .timeout(ms(200))
        .attempt_timeout(ms(40))
        .retry(Retry { backoff, budget: 1.0, ..Retry::times(3) })
        .breaker(CircuitBreaker { open_for: ms(30), window: Window::Time(ms(500)), ..breaker() })
        .bulkhead(Bulkhead { concurrency: PLACES, queue: PLACES })
        .rate_limit(RateLimit { calls: 1_000, per: secs(1), burst: None })
}

/// Every place can be taken, as many can wait, and a circuit that is open closes once it is well.
async fn nothing_is_held(policy: &Policy) {
    advance(secs(10)).await;
    for _ in 0..2 {
        assert_eq!(well(policy).await, Ok(1), "{:?}", policy.state());
    }
    assert_eq!(policy.state(), Some(BreakerState::Closed));
    let mut inside = Vec::new();
    for _ in 0..2 * PLACES {
        inside.push(under_way(policy).await);
    }
    assert!(is_full(&well(policy).await), "there are more places than there should be");
    for (number, call) in inside.into_iter().enumerate() {
        assert!(!call.is_finished(), "{number} of {} were refused", 2 * PLACES);
        aborted(call).await;
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_each_await_it_gives_all_back() {
    let policy = whole().build().unwrap();
    // Before it began.
    drop(policy.run(pending::<Result<u32, Told>>));
    nothing_is_held(&policy).await;
    // Within the call.
    aborted(under_way(&policy).await).await;
    nothing_is_held(&policy).await;
    // In the wait for a repetition.
    let waits = timeout(ms(10), told(&policy, Told::BusyFor(ms(50)))).await;
    assert!(waits.is_err());
    nothing_is_held(&policy).await;
    // In the queue.
    let mut inside = Vec::new();
    for _ in 0..PLACES {
        inside.push(under_way(&policy).await);
    }
    aborted(under_way(&policy).await).await;
    for call in inside {
        aborted(call).await;
    }
    nothing_is_held(&policy).await;
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_dropped_or_panics_makes_room_for_another_one() {
    let policy = builder().breaker(CircuitBreaker { trials: 1, ..breaker() }).build().unwrap();
    broken(&policy).await;
    advance(secs(5)).await;
    let trial = under_way(&policy).await;
    assert!(is_open(&well(&policy).await));
    aborted(trial).await;
    let panics = tokio::spawn({
        let policy = policy.clone();
        async move { policy.run(|| async { panic!("on purpose") }).await as Came }
    });
    assert!(panics.await.unwrap_err().is_panic());
    assert_eq!(policy.state(), Some(BreakerState::HalfOpen), "neither said whether it is well");
    assert_eq!(well(&policy).await, Ok(1));
    assert_eq!(policy.state(), Some(BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_counts_neither_as_failed_nor_as_done() {
    let policy = builder().breaker(breaker()).build().unwrap();
    for _ in 0..10 {
        aborted(under_way(&policy).await).await;
    }
    let _ = told(&policy, Told::Down).await;
    assert_eq!(policy.state(), Some(BreakerState::Closed), "one call has ended, and two are the least");
    aborted(under_way(&policy).await).await;
    let _ = told(&policy, Told::Down).await;
    assert_eq!(policy.state(), Some(BreakerState::Open), "none of those dropped was counted as well");
}

/// What ten thousand calls came to that were cut short at random.
#[derive(Default)]
struct Tally {
    cancelled: AtomicU32,
    ended: AtomicU32,
    refused: AtomicU32,
    opened: AtomicBool,
}

#[tokio::test(start_paused = true)]
#[allow(clippy::print_stdout, reason = "a failure can be had again by its seed")]
async fn ten_thousand_random_cancellations_leave_nothing_taken() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    // The waits between attempts are drawn from here.
    fastrand::seed(seed);
    let (policy, tally) = (whole().build().unwrap(), Arc::new(Tally::default()));
    while tally.cancelled.load(Ordering::Relaxed) < 10_000 {
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            calls.spawn(cut_short(policy.clone(), tally.clone(), rng.fork()));
        }
        while let Some(ended) = calls.join_next().await {
            ended.unwrap();
        }
    }
    let count = |of: &AtomicU32| of.load(Ordering::Relaxed);
    assert!(count(&tally.ended) > 1_000 && count(&tally.refused) > 1_000 && tally.opened.load(Ordering::Relaxed));
    nothing_is_held(&policy).await;
}

async fn cut_short(policy: Policy, tally: Arc<Tally>, mut rng: Rng) {
    sleep(ms(rng.u64(..100))).await;
    let end = ms(rng.u64(..60));
    let call = || {
        let (takes, says) = (ms(rng.u64(..50)), rng.u8(..10));
        async move {
            sleep(takes).await;
            match says {
                0 => Err(Told::Down),
                1..4 => Err(Told::Busy),
                _ => Ok(1),
            }
        }
    };
    let came = timeout(end, policy.run(call)).await;
    let of = match &came {
        Err(_) => &tally.cancelled,
        Ok(Err(PolicyError::Refused(_))) => &tally.refused,
        Ok(_) => &tally.ended,
    };
    of.fetch_add(1, Ordering::Relaxed);
    if policy.state() == Some(BreakerState::Open) {
        tally.opened.store(true, Ordering::Relaxed);
    }
}
