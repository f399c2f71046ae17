use kinoko::{prelude::*, resilience::Policy};

#[derive(Dependencies)]
struct WithOtherKeys {
    #[dependency(name = "gateway", retyr = 3)]
    outer: Policy,
    #[dependency(name = "gateway", retry(maximum = 3))]
    of_retry: Policy,
    #[dependency(name = "gateway", breaker(failure_rat = 0.5))]
    of_breaker: Policy,
    #[dependency(name = "gateway", timeout(after = "2s"))]
    of_a_duration: Policy,
    #[dependency(name = "gateway", breaker(min_calls = "20"))]
    of_another_type: Policy,
    #[dependency(key = "lines", secret(yes = true))]
    without_parts: Config<usize>,
}

fn main() {}
