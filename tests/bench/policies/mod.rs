//! What a policy costs around a call that does nothing, next to the same parts of tower-resilience.
//!
//! Nothing but the policy takes time here, so all of it runs in the driver's own process, on one thread.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use kinoko::resilience::{Bulkhead, CircuitBreaker, Class, Policy, Window};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_resilience::{bulkhead::BulkheadLayer, circuitbreaker::CircuitBreakerLayer, timelimiter::TimeLimiterLayer};

use crate::{
    Failed,
    measured::Allocations,
    options::Options,
    stats::{Goals, Spread},
};

/// The most that all three parts together may add to a call, in nanoseconds.
const GOAL: f64 = 300.0;
const CALLS: u32 = 300_000;

const TIMEOUT: Duration = Duration::from_secs(2);
const WINDOW: u32 = 100;
const CONCURRENCY: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Nothing,
    /// What tokio's own timeout costs.
    Tokio,
    Timeout,
    Breaker,
    Bulkhead,
    All,
    TowerResilience,
}

impl Contender {
    const ALL: [Self; 7] =
        [Self::Nothing, Self::Tokio, Self::Timeout, Self::Breaker, Self::Bulkhead, Self::All, Self::TowerResilience];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Tokio => "tokio: timeout",
            Self::Timeout => "kinoko: timeout",
            Self::Breaker => "kinoko: circuit breaker",
            Self::Bulkhead => "kinoko: bulkhead",
            Self::All => "kinoko: all three",
            Self::TowerResilience => "tower-resilience: all three",
        }
    }
}

/// What one run took for a call.
#[derive(Clone, Copy)]
struct Run {
    nanoseconds: f64,
    allocations: f64,
}

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!("## Policies around a call that does nothing\n");
    println!("| the call | around it | ns a call | more than nothing | allocations a call |");
    println!("|{}", " --- |".repeat(5));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut allocations = Allocations::new();
    for (kind, waits) in [("is over at once", false), ("waits once", true)] {
        let mut runs = Contender::ALL.map(|_| Vec::new());
        for _ in 0..options.rounds {
            for (contender, runs) in Contender::ALL.into_iter().zip(&mut runs) {
                runs.push(runtime.block_on(run(contender, waits, &mut allocations))?);
            }
        }
        for (contender, own) in Contender::ALL.into_iter().zip(&runs) {
            let more = Spread::of_differences(own, &runs[0], |run| run.nanoseconds);
            println!(
                "| {kind} | {} | {:.0} | {more:.0} | {:.1} |",
                contender.name(),
                Spread::of(own, |run| run.nanoseconds).median,
                Spread::of(own, |run| run.allocations).median,
            );
            if contender == Contender::All {
                let what = format!("a policy of three parts, around a call that {kind}");
                let allocations = Spread::of(own, |run| run.allocations);
                goals.at_most(what.clone(), "allocations a call", allocations, 0.0);
                // Where the call waits, the runtime's own timer is in it too: the table tells what that is.
                if !waits {
                    goals.at_most(what, "ns more a call", more, GOAL);
                }
            }
        }
    }
    println!();
    Ok(())
}

#[derive(Debug)]
struct Busy;

/// The call.
async fn work(waits: bool) -> Result<u32, Busy> {
    if waits {
        tokio::task::yield_now().await;
    }
    black_box(Ok(1))
}

async fn run(contender: Contender, waits: bool, allocations: &mut Allocations) -> Result<Run, Failed> {
    match contender {
        Contender::Nothing => measure(allocations, async || work(waits).await.is_ok()).await,
        Contender::Tokio => {
            measure(allocations, async || {
                tokio::time::timeout(TIMEOUT, work(waits)).await.is_ok_and(|done| done.is_ok())
            })
            .await
        }
        Contender::TowerResilience => {
            let mut service = ServiceBuilder::new()
                .layer(TimeLimiterLayer::builder().timeout_duration(TIMEOUT).build())
                .layer(BulkheadLayer::builder().max_concurrent_calls(CONCURRENCY).reject_when_full().build()?)
                .layer(
                    CircuitBreakerLayer::builder()
                        .failure_rate_threshold(0.5)
                        .sliding_window_size(WINDOW as usize)
                        .build()?,
                )
                .service_fn(work);
            measure(allocations, async || match service.ready().await {
                Ok(service) => service.call(waits).await.is_ok(),
                Err(_) => false,
            })
            .await
        }
        _ => {
            let policy = policy(contender)?;
            measure(allocations, async || policy.run_with(|_| Class::FAILURE, || work(waits)).await.is_ok()).await
        }
    }
}

fn policy(contender: Contender) -> Result<Policy, Failed> {
    let has = |part: Contender| contender == part || contender == Contender::All;
    let mut policy = Policy::builder("bench");
    if has(Contender::Timeout) {
        policy = policy.timeout(TIMEOUT);
    }
    if has(Contender::Breaker) {
        policy = policy.breaker(CircuitBreaker { window: Window::Calls(WINDOW), ..CircuitBreaker::default() });
    }
    if has(Contender::Bulkhead) {
        policy = policy.bulkhead(Bulkhead { concurrency: CONCURRENCY, queue: 0 });
    }
    Ok(policy.build()?)
}

async fn measure(allocations: &mut Allocations, mut call: impl AsyncFnMut() -> bool) -> Result<Run, Failed> {
    // What is made once, as a window of calls, is not a call's.
    for _ in 0..CALLS / 10 {
        call().await;
    }
    allocations.since();
    let began = Instant::now();
    let mut failed = 0;
    for _ in 0..CALLS {
        failed += u32::from(!call().await);
    }
    let took = began.elapsed();
    if failed > 0 {
        return Err(format!("{failed} calls were refused").into());
    }
    let allocated = allocations.since();
    Ok(Run {
        nanoseconds: took.as_secs_f64() * 1e9 / f64::from(CALLS),
        // To count them allocates, too: a few in all.
        allocations: (allocated as f64 / f64::from(CALLS) * 100.0).round() / 100.0,
    })
}
