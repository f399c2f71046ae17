//! Repetitions: what is repeated, when, how often, and when no more.

use std::{future::ready, sync::Mutex};

use kinoko::{
    prelude::*,
    resilience::{Backoff, Retry},
};
use tokio::time::Instant;

use super::*;

/// When the attempts of one call began, and what it came to.
async fn attempts(policy: &Policy, told: Told) -> (Vec<Instant>, Came) {
    let began = Mutex::new(Vec::new());
    let call = || {
        began.lock().unwrap().push(Instant::now());
        ready(Err(told))
    };
    let came = policy.run(call).await;
    (began.into_inner().unwrap(), came)
}

async fn count(policy: &Policy, told: Told) -> usize {
    attempts(policy, told).await.0.len()
}

#[tokio::test(start_paused = true)]
async fn it_is_repeated_as_often_as_said_and_the_last_error_stays() {
    let policy = builder().retry(Retry::times(3)).build().unwrap();
    let (began, came) = attempts(&policy, Told::Busy).await;
    assert_eq!((began.len(), came), (4, Err(PolicyError::Failed(Told::Busy))));
    let mut left = 2;
    let call = || {
        left -= 1;
        ready(if left == 0 { Ok(7) } else { Err(Told::Busy) })
    };
    assert_eq!(policy.run(call).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn the_waits_are_drawn_from_all_up_to_their_bound_which_doubles() {
    let backoff = Backoff { first: ms(100), longest: ms(400) };
    let bounds = [100.0, 200.0, 400.0, 400.0];
    let (mut shortest, mut longest) = ([f64::MAX; 4], [0_f64; 4]);
    for _ in 0..200 {
        let policy = builder().retry(Retry { max: 4, backoff, ..Retry::default() }).build().unwrap();
        let (began, _) = attempts(&policy, Told::Busy).await;
        assert_eq!(began.len(), 5);
        for (number, pair) in began.windows(2).enumerate() {
            let share = (pair[1] - pair[0]).as_secs_f64() * 1e3 / bounds[number];
            // Timers go by milliseconds.
            assert!(share <= 1.0 + 1.0 / bounds[number], "wait {number} is {share} of its bound");
            shortest[number] = shortest[number].min(share);
            longest[number] = longest[number].max(share);
        }
    }
    assert!(shortest.iter().all(|share| *share < 0.1), "{shortest:?}");
    assert!(longest.iter().all(|share| *share > 0.9), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tenth_of_the_calls_of_all_clones_is_repeated_and_the_reserve() {
    let policy = builder().retry(Retry::times(1)).build().unwrap();
    let mut made = 0;
    for _ in 0..1_000 {
        made += count(&policy.clone(), Told::Busy).await;
    }
    let repeated = made - 1_000;
    assert!((100..=110).contains(&repeated), "{repeated} of 1,000 calls");
}

#[tokio::test(start_paused = true)]
async fn without_a_share_only_the_reserve_is_repeated() {
    let policy = builder().retry(Retry { budget: 0.0, ..Retry::times(20) }).build().unwrap();
    assert_eq!(count(&policy, Told::Busy).await, 11);
    assert_eq!(count(&policy, Told::Busy).await, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_says_when_to_come_back_is_not_asked_before() {
    let policy = builder().retry(Retry::times(2)).build().unwrap();
    let (began, _) = attempts(&policy, Told::BusyFor(secs(7))).await;
    assert_eq!(began.len(), 3);
    assert!(began.windows(2).all(|pair| pair[1] - pair[0] >= secs(7)), "{began:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_in_time_is_not_waited_for() {
    let policy = builder().timeout(secs(5)).retry(Retry::times(2)).build().unwrap();
    for wait in [secs(5), Duration::MAX] {
        let (began, came) = attempts(&policy, Told::BusyFor(wait)).await;
        assert_eq!(came, Err(PolicyError::Failed(Told::BusyFor(wait))));
        assert_eq!((began.len(), began[0].elapsed()), (1, Duration::ZERO));
    }
    let endless = builder().retry(Retry::times(2)).build().unwrap();
    assert_eq!(count(&endless, Told::BusyFor(Duration::MAX)).await, 1, "a wait beyond all clocks is none");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_run_is_repeated_only_where_it_may_be_done_twice() {
    let once = builder().attempt_timeout(secs(1)).retry(Retry::times(2)).build().unwrap();
    let twice = Retry { idempotent: true, ..Retry::times(2) };
    let twice = builder().attempt_timeout(secs(1)).retry(twice).build().unwrap();
    assert_eq!(count(&once, Told::Down).await, 1);
    assert_eq!(count(&twice, Told::Down).await, 3);
    for (policy, attempts) in [(once, 1), (twice, 3)] {
        let mut made = 0;
        let call = || {
            made += 1;
            pending::<Result<u32, Told>>()
        };
        assert!(is_late(&policy.run(call).await));
        assert_eq!(made, attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_never_repeated() {
    for idempotent in [false, true] {
        let policy = builder().retry(Retry { idempotent, ..Retry::times(5) }).build().unwrap();
        assert_eq!(count(&policy, Told::No).await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_itself_refuses_is_not_repeated() {
    let retry = Retry { idempotent: true, ..Retry::times(5) };
    let policy = builder().breaker(breaker()).retry(retry).build().unwrap();
    policy.force_open();
    let began = Instant::now();
    assert!(is_open(&well(&policy).await));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[derive(Dependencies)]
struct Hurried;

#[service(name = "resilience_hurried")]
impl Hurried {
    /// How many attempts there were, and how long they took.
    #[rpc(timeout = "3s")]
    async fn repeat(&self) -> (usize, u64) {
        let policy = builder().retry(Retry { budget: 1.0, ..Retry::times(50) }).build().unwrap();
        let (began, _) = attempts(&policy, Told::BusyFor(secs(1))).await;
        (began.len(), u64::try_from(began[0].elapsed().as_millis()).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_repeated_beyond_the_deadline_of_the_worker() {
    let app = App::new().service::<Hurried>().start().await.unwrap();
    let (attempts, took) = app.client::<HurriedClient>().repeat().await.unwrap();
    assert_eq!(attempts, 3, "a third wait would end with the worker");
    assert!((2_000..3_000).contains(&took), "and the worker is left the rest of its time: {took} ms");
    app.stop().await.unwrap();
}
