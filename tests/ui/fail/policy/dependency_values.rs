use kinoko::{prelude::*, resilience::Policy};

#[derive(Dependencies)]
struct OfTheWrongValue {
    #[dependency(name = "gateway", attempt_timeout = "500 parsecs", timeout = "0s")]
    times: Policy,
    #[dependency(name = "gateway", retry(max = -1, backoff = "2s..50ms", budget = 1.5))]
    retry: Policy,
    #[dependency(name = "gateway", retry = "3")]
    retry_text: Policy,
    #[dependency(name = "gateway", retry())]
    retry_nothing: Policy,
    #[dependency(name = "gateway", breaker(failure_rate = 1, slow_rate = 1.5, window = "10", open_for = "5"))]
    breaker: Policy,
    #[dependency(name = "gateway", breaker(window = 0, min_calls = 0, trials = 2.5, slow_after = "0s"))]
    breaker_counts: Policy,
    #[dependency(name = "gateway", breaker = "yes")]
    breaker_text: Policy,
    #[dependency(name = "gateway", bulkhead(concurrency = 0))]
    bulkhead: Policy,
    #[dependency(name = "gateway", bulkhead = "20")]
    bulkhead_text: Policy,
    #[dependency(name = "gateway", rate_limit = "100 per second")]
    rate: Policy,
    #[dependency(name = "gateway", rate_limit)]
    rate_alone: Policy,
    #[dependency(name = "gateway", rate_limit(calls = 0, per = "1 minute"))]
    rate_parts: Policy,
    #[dependency(name = "gateway", retry(max = 3, max = 4), retry = 3)]
    twice: Policy,
    #[dependency(name = "gateway", retry(max, idempotent(true)))]
    without_a_value: Policy,
}

fn main() {}
