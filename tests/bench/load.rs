//! Calls, so many in flight, for so long.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::Failed;

/// One run of calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) bytes: usize,
    pub(crate) in_flight: usize,
    pub(crate) until: Until,
}

/// When a run is over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    Calls(u64),
}

/// What a run came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) calls: u64,
    pub(crate) elapsed: Duration,
    /// Zero where more than one call was in flight: there it only says how many.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// How often a task of a run looks at the clock, in calls: in memory a call would else be mostly that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// At every call, and how long each took where only one is in flight.
    EveryCall,
    Seldom,
}

/// Makes calls until the run is over.
pub(crate) async fn run<F>(
    load: Load,
    clock: Clock,
    call: impl Fn() -> F + Clone + Send + 'static,
) -> Result<Done, Failed>
where
    F: Future<Output = Result<(), Failed>> + Send,
{
    let started = Instant::now();
    let left = Arc::new(AtomicU64::new(match load.until {
        Until::Calls(calls) => calls,
        Until::Elapsed(_) => u64::MAX,
    }));
    let tasks: Vec<_> = (0..load.in_flight)
        .map(|_| {
            let (call, left) = (call.clone(), left.clone());
            tokio::spawn(async move {
                let (mut calls, mut latencies) = (0_u64, Vec::new());
                let (every, timed) = match clock {
                    Clock::EveryCall => (1, load.in_flight == 1),
                    Clock::Seldom => (16, false),
                };
                loop {
                    match load.until {
                        Until::Elapsed(limit) if calls % every == 0 && started.elapsed() >= limit => break,
                        Until::Calls(_)
                            if left
                                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                                .is_err() =>
                        {
                            break;
                        }
                        _ => {}
                    }
                    if timed {
                        let begun = Instant::now();
                        call().await?;
                        latencies.push(begun.elapsed());
                    } else {
                        call().await?;
                    }
                    calls += 1;
                }
                Ok::<_, Failed>((calls, latencies))
            })
        })
        .collect();
    let (mut calls, mut latencies) = (0, Vec::new());
    for task in tasks {
        let (made, took) = task.await??;
        calls += made;
        latencies.extend(took);
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    let quantile = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default();
    Ok(Done { calls, elapsed, p50: quantile(50), p99: quantile(99) })
}

impl Load {
    pub(crate) fn to_line(self) -> String {
        let until = match self.until {
            Until::Elapsed(limit) => format!("elapsed {}", limit.as_nanos()),
            Until::Calls(calls) => format!("calls {calls}"),
        };
        format!("{} {} {until}", self.bytes, self.in_flight)
    }

    pub(crate) fn from_words(words: &[&str]) -> Result<Self, Failed> {
        let &[bytes, in_flight, kind, limit] = words else { return Err("a load has four words".into()) };
        let limit = limit.parse()?;
        Ok(Self {
            bytes: bytes.parse()?,
            in_flight: in_flight.parse()?,
            until: if kind == "calls" { Until::Calls(limit) } else { Until::Elapsed(Duration::from_nanos(limit)) },
        })
    }
}

impl Done {
    pub(crate) fn to_line(self) -> String {
        let Self { calls, elapsed, p50, p99 } = self;
        format!("{calls} {} {} {}", elapsed.as_nanos(), p50.as_nanos(), p99.as_nanos())
    }

    pub(crate) fn from_line(line: &str) -> Result<Self, Failed> {
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let &[calls, elapsed, p50, p99] = &*numbers else { return Err(format!("no result of a run: {line}").into()) };
        Ok(Self {
            calls,
            elapsed: Duration::from_nanos(elapsed),
            p50: Duration::from_nanos(p50),
            p99: Duration::from_nanos(p99),
        })
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64()
    }
}
