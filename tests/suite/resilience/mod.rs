//! What a policy promises, part by part. The clock is paused: nothing here waits.

mod attribute;
mod breaker;
mod bulkhead;
mod cancel;
mod entrypoints;
mod errors;
mod order;
mod rate_limit;
mod retry;
mod settings;
mod timeouts;

use std::{
    future::{pending, ready},
    time::Duration,
};

use kinoko::resilience::{
    CircuitBreaker, Class, Classify, Policy, PolicyBuilder, PolicyError, Refusal, Refused, Window,
};
use tokio::{task::JoinHandle, time::sleep};

/// What a call under a policy came to.
type Came = Result<u32, PolicyError<Told>>;

/// What a destination says in the place of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    No,
    Down,
    Busy,
    BusyFor(Duration),
}

impl Classify for Told {
    fn classify(&self) -> Class {
        match self {
            Self::No => Class::ANSWER,
            Self::Down => Class::FAILURE,
            Self::Busy => Class::REPEATABLE,
            Self::BusyFor(wait) => Class { retry_after: Some(*wait), ..Class::REPEATABLE },
        }
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn builder() -> PolicyBuilder {
    Policy::builder("tried")
}

/// Opens at the second call if half of them failed, for 5 s; then two are tried.
fn breaker() -> CircuitBreaker {
    CircuitBreaker { window: Window::Calls(4), min_calls: 2, trials: 2, ..CircuitBreaker::default() }
}

async fn well(policy: &Policy) -> Came {
    policy.run(|| ready(Ok(1))).await
}

async fn told(policy: &Policy, told: Told) -> Came {
    policy.run(|| ready(Err(told))).await
}

/// A call that takes so long.
async fn takes(policy: &Policy, long: Duration) -> Came {
    policy
        .run(|| async {
            sleep(long).await;
            Ok(1)
        })
        .await
}

/// A call that is under way by then, and stays so until it is aborted.
async fn under_way(policy: &Policy) -> JoinHandle<Came> {
    let policy = policy.clone();
    let call = tokio::spawn(async move { policy.run(pending).await });
    settled().await;
    call
}

/// All that can go on without time has.
async fn settled() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

async fn aborted(call: JoinHandle<Came>) {
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
}

/// Opens a circuit that [`breaker`] made.
async fn broken(policy: &Policy) {
    for _ in 0..2 {
        let _ = told(policy, Told::Down).await;
    }
    assert_eq!(policy.state(), Some(kinoko::resilience::BreakerState::Open));
}

fn reason(came: &Came) -> Option<Refusal> {
    match came {
        Err(PolicyError::Refused(Refused { reason, .. })) => Some(*reason),
        Ok(_) | Err(PolicyError::Failed(_)) => None,
    }
}

fn is_open(came: &Came) -> bool {
    matches!(reason(came), Some(Refusal::CircuitOpen { .. }))
}

fn is_full(came: &Came) -> bool {
    reason(came) == Some(Refusal::BulkheadFull)
}

fn is_limited(came: &Came) -> bool {
    matches!(reason(came), Some(Refusal::RateLimited { .. }))
}

fn is_late(came: &Came) -> bool {
    matches!(reason(came), Some(Refusal::Timeout { .. }))
}
