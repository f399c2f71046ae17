//! Bulkheads: so many at once, so many that wait, and a place that always comes back.

use std::sync::{Arc, Mutex};

use kinoko::resilience::{Bulkhead, PolicySettings};
use tokio::time::Instant;

use super::*;

fn room(concurrency: usize, queue: usize) -> Policy {
    builder().bulkhead(Bulkhead { concurrency, queue }).timeout(secs(60)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_more_than_fits_is_refused_at_once() {
    let policy = room(2, 0);
    let (one, two) = (under_way(&policy).await, under_way(&policy).await);
    assert!(is_full(&well(&policy).await));
    aborted(one).await;
    assert_eq!(well(&policy).await, Ok(1));
    aborted(two).await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_comes_in_in_order_and_one_more_is_refused() {
    let policy = room(1, 2);
    let first = under_way(&policy).await;
    let came_in = Arc::new(Mutex::new(Vec::new()));
    let waiting: Vec<_> = (0..2)
        .map(|number| {
            let (policy, came_in) = (policy.clone(), came_in.clone());
            tokio::spawn(async move {
                let call = || async {
                    came_in.lock().unwrap().push(number);
                    Ok::<u32, Told>(1)
                };
                policy.run(call).await
            })
        })
        .collect();
    settled().await;
    assert!(is_full(&well(&policy).await), "two wait already");
    assert!(came_in.lock().unwrap().is_empty());
    aborted(first).await;
    for call in waiting {
        assert_eq!(call.await.unwrap(), Ok(1));
    }
    assert_eq!(*came_in.lock().unwrap(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_was_not_let_in() {
    let policy = room(1, 1);
    let first = under_way(&policy).await;
    policy.configure(PolicySettings { timeout: Some(secs(30)), ..policy.settings() }).unwrap();
    let began = Instant::now();
    let came = well(&policy).await;
    assert!(is_full(&came), "and has not run, as after a timeout it may have: {came:?}");
    assert_eq!(began.elapsed(), secs(30));
    aborted(first).await;
}

#[tokio::test(start_paused = true)]
async fn the_place_comes_back_however_a_call_ends() {
    let policy = room(1, 0);
    assert_eq!(well(&policy).await, Ok(1));
    assert_eq!(told(&policy, Told::Down).await, Err(PolicyError::Failed(Told::Down)));
    assert!(is_late(&takes(&policy, secs(61)).await));
    let panicked = tokio::spawn({
        let policy = policy.clone();
        async move { policy.run(|| async { panic!("on purpose") }).await as Came }
    });
    assert!(panicked.await.unwrap_err().is_panic());
    aborted(under_way(&policy).await).await;
    drop(policy.run(pending::<Result<u32, Told>>));
    assert_eq!(well(&policy).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_place_to_wait_in_comes_back_too() {
    let policy = room(1, 1);
    let first = under_way(&policy).await;
    for _ in 0..3 {
        aborted(under_way(&policy).await).await;
    }
    let waiting = under_way(&policy).await;
    assert!(is_full(&well(&policy).await));
    aborted(waiting).await;
    aborted(first).await;
}
