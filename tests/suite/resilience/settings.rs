//! Settings: what makes no sense is refused, and what changes live leaves alone what does not.

use kinoko::{
    ErrorKind,
    resilience::{Backoff, BreakerState, Bulkhead, PolicySettings, RateLimit, Retry},
};
use tokio::time::advance;

use super::*;

fn refused(settings: PolicySettings) -> String {
    let error = builder().settings(settings.clone()).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    // Nor are they taken live, and the old ones stay.
    let policy = builder().timeout(secs(1)).build().unwrap();
    assert_eq!(policy.configure(settings).unwrap_err().to_string(), error.to_string());
    assert_eq!(policy.settings(), PolicySettings { timeout: Some(secs(1)), ..PolicySettings::default() });
    error.to_string().strip_prefix("policy `tried`: ").unwrap().to_owned()
}

fn with_breaker(change: impl FnOnce(&mut CircuitBreaker)) -> PolicySettings {
    let mut breaker = CircuitBreaker::default();
    change(&mut breaker);
    PolicySettings { breaker: Some(breaker), ..PolicySettings::default() }
}

fn with_retry(retry: Retry) -> PolicySettings {
    PolicySettings { retry: Some(retry), ..PolicySettings::default() }
}

fn with_limit(calls: u32, per: Duration, burst: Option<u32>) -> PolicySettings {
    PolicySettings { rate_limit: Some(RateLimit { calls, per, burst }), ..PolicySettings::default() }
}

#[test]
fn what_makes_no_sense_is_refused_and_says_what_to_write() {
    let none = PolicySettings::default();
    let zero = |what| format!("`{what}` is 0: write at least `1ms`, or leave it out");
    assert_eq!(refused(PolicySettings { timeout: Some(secs(0)), ..none.clone() }), zero("timeout"));
    assert_eq!(refused(PolicySettings { attempt_timeout: Some(secs(0)), ..none.clone() }), zero("attempt_timeout"));
    assert_eq!(refused(with_breaker(|breaker| breaker.open_for = secs(0))), zero("breaker.open_for"));
    assert_eq!(refused(with_breaker(|breaker| breaker.slow_after = Some(secs(0)))), zero("breaker.slow_after"));
    assert_eq!(refused(with_breaker(|breaker| breaker.window = Window::Time(secs(0)))), zero("breaker.window"));
    assert_eq!(refused(with_limit(1, secs(0), None)), zero("rate_limit.per"));
    for share in [0.0, -1.0, 1.1, 50.0, f64::NAN] {
        let text = |what| {
            format!("`breaker.{what}` is {share}: a share is above 0 and at most 1, such as 0.5 for half of them")
        };
        assert_eq!(refused(with_breaker(|breaker| breaker.failure_rate = share)), text("failure_rate"));
        assert_eq!(refused(with_breaker(|breaker| breaker.slow_rate = share)), text("slow_rate"));
    }
    for calls in [0, 10_001] {
        assert_eq!(
            refused(with_breaker(|breaker| breaker.window = Window::Calls(calls))),
            format!("`breaker.window` is {calls} calls: write 1 to 10000, or a time such as \"10s\"")
        );
    }
    let least = "`breaker.min_calls` and `breaker.trials` are 1 at least";
    assert_eq!(refused(with_breaker(|breaker| breaker.min_calls = 0)), least);
    assert_eq!(refused(with_breaker(|breaker| breaker.trials = 0)), least);
    let places = |concurrency| PolicySettings { bulkhead: Some(Bulkhead { concurrency, queue: 0 }), ..none.clone() };
    assert_eq!(refused(places(0)), "`bulkhead.concurrency` is 0 and would refuse every call: write at least 1");
    assert_eq!(refused(places(1_000_001)), "`bulkhead.concurrency` is 1000001, the most is 1000000");
    let backwards = Backoff { first: secs(2), longest: secs(1) };
    assert_eq!(
        refused(with_retry(Retry { backoff: backwards, ..Retry::default() })),
        "`retry.backoff` begins with the shorter time: write `50ms..2s`"
    );
    assert_eq!(
        refused(with_retry(Retry { budget: 10.0, ..Retry::default() })),
        "`retry.budget` is 10: a share of the calls, from 0 (only the reserve) to 1 (each may be repeated once)"
    );
    for limit in [with_limit(0, secs(1), None), with_limit(1, secs(1), Some(0))] {
        assert_eq!(refused(limit), "`rate_limit` lets no call through: write at least 1");
    }
    assert_eq!(
        refused(with_limit(2, Duration::from_nanos(1), None)),
        "`rate_limit` is 2 calls in 1ns: more than a billion a second"
    );
}

/// No clock reaches so far: to add such a time to now would panic.
#[tokio::test(start_paused = true)]
async fn a_time_beyond_all_clocks_is_refused() {
    let none = PolicySettings::default();
    let long = |what| format!("`{what}` is longer than `36500d`, a hundred years: write less, or leave it out");
    assert_eq!(refused(PolicySettings { timeout: Some(Duration::MAX), ..none.clone() }), long("timeout"));
    assert_eq!(refused(PolicySettings { attempt_timeout: Some(Duration::MAX), ..none }), long("attempt_timeout"));
    assert_eq!(refused(with_breaker(|breaker| breaker.open_for = Duration::MAX)), long("breaker.open_for"));
    assert_eq!(refused(with_breaker(|breaker| breaker.window = Window::Time(Duration::MAX))), long("breaker.window"));
    assert_eq!(refused(with_limit(1, Duration::MAX, None)), long("rate_limit.per"));
    let backoff = Backoff { first: secs(1), longest: Duration::MAX };
    assert_eq!(refused(with_retry(Retry { backoff, ..Retry::default() })), long("retry.backoff"));
    assert_eq!(
        refused(with_limit(1, secs(24 * 3600), Some(u32::MAX))),
        "`rate_limit.burst` is 4294967295, which takes longer than a hundred years to save up: write less"
    );

    let longest = secs(36_500 * 24 * 3600);
    let settings = PolicySettings {
        timeout: Some(longest),
        attempt_timeout: Some(longest),
        breaker: Some(CircuitBreaker { open_for: longest, window: Window::Time(longest), ..breaker() }),
        rate_limit: Some(RateLimit { calls: 1, per: longest / 2, burst: Some(2) }),
        ..PolicySettings::default()
    };
    let policy = builder().settings(settings).build().unwrap();
    broken(&policy).await;
    assert!(is_open(&well(&policy).await));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_change_is_left_alone() {
    let policy = builder()
        .timeout(secs(9))
        .retry(Retry { budget: 0.0, ..Retry::times(20) })
        .breaker(CircuitBreaker { open_for: secs(60), ..breaker() })
        .bulkhead(Bulkhead { concurrency: 1, queue: 0 })
        .rate_limit(RateLimit { calls: 1, per: secs(3600), burst: Some(13) })
        .build()
        .unwrap();
    // One that stays, and the reserve of repetitions, which leave one of the burst.
    let holds = under_way(&policy).await;
    let sooner = |timeout| PolicySettings { timeout: Some(timeout), ..policy.settings() };
    policy.configure(sooner(secs(8))).unwrap();
    assert!(is_full(&well(&policy).await), "the place is still taken");
    aborted(holds).await;
    policy.force_closed();
    assert_eq!(told(&policy, Told::Busy).await, Err(PolicyError::Failed(Told::Busy)));
    policy.configure(sooner(secs(7))).unwrap();
    assert_eq!(policy.state(), Some(BreakerState::ForcedClosed));
    assert_eq!(told(&policy, Told::Busy).await, Err(PolicyError::Failed(Told::Busy)), "the reserve is still empty");
    assert!(is_limited(&well(&policy).await), "and the burst with that");

    let more =
        PolicySettings { bulkhead: Some(Bulkhead { concurrency: 2, queue: 0 }), rate_limit: None, ..policy.settings() };
    policy.configure(more.clone()).unwrap();
    assert_eq!(policy.settings(), more);
    policy.release();
    broken(&policy).await;
    policy.configure(sooner(secs(1))).unwrap();
    assert_eq!(policy.state(), Some(BreakerState::Open), "a change of the timeout closes no circuit");
    policy.configure(PolicySettings { breaker: Some(breaker()), ..policy.settings() }).unwrap();
    assert_eq!(policy.state(), Some(BreakerState::Open), "nor do other settings of its own");
    policy.configure(PolicySettings { breaker: None, ..policy.settings() }).unwrap();
    assert_eq!((policy.state(), well(&policy).await), (None, Ok(1)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_under_way_ends_by_the_settings_that_it_began_with() {
    let policy = builder().timeout(secs(5)).build().unwrap();
    let first = under_way(&policy).await;
    policy.configure(PolicySettings { timeout: Some(secs(1)), ..PolicySettings::default() }).unwrap();
    advance(secs(2)).await;
    settled().await;
    assert!(!first.is_finished());
    assert_eq!(reason(&takes(&policy, secs(9)).await), Some(Refusal::Timeout { after: secs(1) }));
    assert_eq!(reason(&first.await.unwrap()), Some(Refusal::Timeout { after: secs(5) }));
}
