//! `#[policy]` on methods and functions, and a policy's options on a field.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use kinoko::{
    ErrorKind,
    prelude::*,
    resilience::{Bulkhead, CircuitBreaker, Class, Policy, PolicyError, RateLimit, Refusal, Refused, Retry, Window},
};

#[derive(Debug, Clone, PartialEq, thiserror::Error, ServiceError)]
enum GatewayError {
    #[error("declined")]
    #[fault(retry = false)]
    Declined,
    #[error("busy")]
    #[fault(retry = true)]
    Busy,
    #[error(transparent)]
    #[fault(forward)]
    Refused(#[from] Refused),
}

fn refusal<T: std::fmt::Debug>(ended: Result<T, GatewayError>) -> Refusal {
    match ended {
        Err(GatewayError::Refused(refused)) => refused.reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// Fails so often before it succeeds.
struct Gateway {
    policy: Policy,
    inner: Inner,
    fails: AtomicU32,
    calls: AtomicU32,
}

struct Inner {
    policy: Policy,
}

impl Gateway {
    fn new(fails: u32) -> Self {
        let build = |name: &'static str| {
            Policy::builder(name).retry(Retry::times(2)).timeout(Duration::from_secs(60)).build().unwrap()
        };
        Self {
            policy: build("field"),
            inner: Inner { policy: build("inner") },
            fails: AtomicU32::new(fails),
            calls: AtomicU32::new(0),
        }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    fn call(&self, error: GatewayError) -> Result<u32, GatewayError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let left = self.fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() { Err(error) } else { Ok(self.calls()) }
    }

    #[policy(self.policy)]
    async fn by_field(&self, words: Vec<String>) -> Result<usize, GatewayError> {
        self.call(GatewayError::Busy)?;
        Ok(words.len())
    }

    #[policy(policy)]
    async fn by_name<'a, T: Clone + Into<String>>(
        &self,
        (first, mut second): (T, u32),
        rest: &'a str,
    ) -> Result<(String, &'a str), GatewayError> {
        second += self.call(GatewayError::Busy)?;
        if second > 100 {
            return Err(GatewayError::Declined);
        }
        Ok((first.into(), rest))
    }

    #[policy(self.inner.policy, fallback = later)]
    async fn with_fallback(&self, error: GatewayError, note: String) -> Result<u32, GatewayError> {
        let _ = note;
        self.call(error)
    }

    async fn later(
        &self,
        error: GatewayError,
        note: String,
        why: PolicyError<GatewayError>,
    ) -> Result<u32, GatewayError> {
        assert_eq!(why, PolicyError::Failed(error));
        if note == "no" { Err(GatewayError::Declined) } else { Ok(1_000) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_repeats_the_body_with_its_parameters() {
    let gateway = Gateway::new(2);
    assert_eq!(gateway.by_field(vec!["a".into(), "b".into()]).await, Ok(2));
    assert_eq!(gateway.calls(), 3);
    assert_eq!(gateway.by_name(("a", 1), "rest").await, Ok(("a".to_owned(), "rest")));
    assert_eq!(gateway.by_name(("a", 100), "rest").await, Err(GatewayError::Declined));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_answers_for_failures_and_not_for_answers() {
    let gateway = Gateway::new(100);
    assert_eq!(gateway.with_fallback(GatewayError::Busy, "yes".into()).await, Ok(1_000));
    assert_eq!(gateway.calls(), 3, "first it is repeated");
    assert_eq!(gateway.with_fallback(GatewayError::Busy, "no".into()).await, Err(GatewayError::Declined));
    let before = gateway.calls();
    assert_eq!(gateway.with_fallback(GatewayError::Declined, "yes".into()).await, Err(GatewayError::Declined));
    assert_eq!(gateway.calls(), before + 1);
    gateway.inner.policy.configure(Default::default()).unwrap();
    assert_eq!(gateway.with_fallback(GatewayError::Busy, "yes".into()).await, Ok(1_000));
}

/// Not `Clone`, as a body may be that is done once.
struct Order(u32);

#[policy(timeout = "1s", breaker(window = 2, min_calls = 2))]
async fn once(order: Order, fails: bool, calls: &mut u32) -> Result<u32, GatewayError> {
    *calls += 1;
    if order.0 == 0 {
        std::future::pending::<()>().await;
    }
    if fails {
        Err(GatewayError::Busy)?;
    }
    Ok(order.0)
}

#[tokio::test(start_paused = true)]
async fn without_retry_nothing_is_done_again_and_nothing_copied() {
    let mut calls = 0;
    assert_eq!(once(Order(7), false, &mut calls).await, Ok(7));
    assert_eq!(refusal(once(Order(0), false, &mut calls).await), Refusal::Timeout { after: Duration::from_secs(1) });
    // One of the last two was late: half of them.
    assert!(matches!(refusal(once(Order(7), false, &mut calls).await), Refusal::CircuitOpen { retry_after: Some(_) }));
    assert_eq!(calls, 2);
}

/// An error that is foreign to all of this.
#[derive(Debug, PartialEq)]
struct Status(u16);

fn judge(status: &Status) -> Class {
    if status.0 < 500 { Class::ANSWER } else { Class::REPEATABLE }
}

#[policy(retry(max = 1, backoff = "1ms"), classify = judge, fallback = cached)]
async fn fetch(path: &str, statuses: &[AtomicU32; 2]) -> Result<String, Status> {
    match statuses[0].swap(statuses[1].load(Ordering::Relaxed), Ordering::Relaxed) {
        200 => Ok(path.to_owned()),
        status => Err(Status(u16::try_from(status).unwrap())),
    }
}

async fn cached(_: &str, _: &[AtomicU32; 2], why: PolicyError<Status>) -> Result<String, Status> {
    Ok(format!("{why:?}"))
}

#[tokio::test(start_paused = true)]
async fn a_function_says_what_its_errors_mean() {
    let fetch = |first: u32, second: u32| async move { fetch("a", &[first.into(), second.into()]).await };
    assert_eq!(fetch(503, 200).await.as_deref(), Ok("a"));
    assert_eq!(fetch(404, 200).await, Err(Status(404)));
    assert_eq!(fetch(503, 500).await.as_deref(), Ok("Failed(Status(500))"));
}

struct Shared;

impl Shared {
    #[policy(name = "shared-one", bulkhead = 1)]
    async fn hold<T>(&self, value: T) -> kinoko::Result<T> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(value)
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_s_own_policy_is_one_for_all_instances_and_types() {
    let (one, other) = (Shared, Shared);
    let (first, second) = tokio::join!(one.hold(1), other.hold("text"));
    assert_eq!(first.unwrap(), 1);
    assert_eq!(second.unwrap_err().to_string(), "`shared-one` has as many calls under way as it may");
}

#[derive(Dependencies)]
struct Payments {
    #[dependency(
        name = "gateway",
        timeout = "2s",
        attempt_timeout = "500ms",
        retry(max = 3, backoff = "50ms..1s", budget = 0.2, idempotent),
        breaker(
            failure_rate = 0.4,
            window = "20s",
            min_calls = 10,
            open_for = "7s",
            trials = 2,
            slow_after = "1s",
            slow_rate = 0.9
        ),
        bulkhead(concurrency = 5, queue = 10),
        rate_limit(calls = 6000, per = "1m", burst = 50)
    )]
    all: Policy,
    #[dependency(name = "short", retry = 3, breaker, bulkhead = 20, rate_limit = "100/s", no_inject)]
    short: Policy,
}

#[service(name = "payments")]
impl Payments {
    #[rpc]
    #[policy(self.short)]
    async fn pay(&self, order: u64) -> Result<u64, GatewayError> {
        match order {
            0 => Err(GatewayError::Declined),
            order => Ok(order),
        }
    }

    #[policy(name = "payments-late", timeout = "10ms")]
    #[rpc]
    async fn late(&self) -> Result<(), GatewayError> {
        std::future::pending().await
    }

    #[rpc]
    fn settings(&self) -> (bool, bool) {
        let all = self.all.settings();
        let breaker = CircuitBreaker {
            failure_rate: 0.4,
            slow_rate: 0.9,
            slow_after: Some(Duration::from_secs(1)),
            window: Window::Time(Duration::from_secs(20)),
            min_calls: 10,
            open_for: Duration::from_secs(7),
            trials: 2,
        };
        let right = all.timeout == Some(Duration::from_secs(2))
            && all.attempt_timeout == Some(Duration::from_millis(500))
            && all.retry.is_some_and(|retry| {
                (retry.max, retry.budget, retry.idempotent) == (3, 0.2, true)
                    && retry.backoff.longest == Duration::from_secs(1)
            })
            && all.breaker == Some(breaker)
            && all.bulkhead == Some(Bulkhead { concurrency: 5, queue: 10 })
            && all.rate_limit == Some(RateLimit { calls: 6_000, per: Duration::from_secs(60), burst: Some(50) });
        let short = self.short.settings();
        let short = short.retry == Some(Retry::times(3))
            && short.breaker == Some(CircuitBreaker::default())
            && short.bulkhead == Some(Bulkhead::default())
            && short.rate_limit == Some(RateLimit::default());
        (right, short)
    }
}

#[tokio::test]
async fn options_have_parts_and_parts_have_defaults() {
    let app = App::new().service::<Payments>().start().await.unwrap();
    let payments = app.client::<PaymentsClient>();
    assert_eq!(payments.settings().await.unwrap(), (true, true));
    assert_eq!(payments.pay(7).await.unwrap(), 7);
    assert!(matches!(payments.pay(0).await, Err(CallError::Service(GatewayError::Declined))));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_refusal_travels_as_what_it_is() {
    let app = App::new().service::<Payments>().start().await.unwrap();
    let Err(CallError::Remote(fault)) = app.client::<PaymentsClient>().late().await else { panic!("it was not late") };
    assert_eq!((fault.code.as_deref(), fault.http, fault.retryable), (Some("TIMEOUT"), Some(504), None));
    app.stop().await.unwrap();

    let open = Refused {
        policy: "gateway".into(),
        reason: Refusal::CircuitOpen { retry_after: Some(Duration::from_millis(1_500)) },
    };
    let fault = GatewayError::from(open).to_fault();
    assert_eq!((fault.code.as_deref(), fault.http), (Some("CIRCUIT_OPEN"), Some(503)));
    assert_eq!((fault.retryable, fault.retry_after_ms), (Some(true), Some(1_500)));
}

#[policy(name = "attribute-overridden", timeout = "1s")]
async fn overridden() -> Result<(), GatewayError> {
    std::future::pending().await
}

#[policy(name = "attribute-once", timeout = "1s")]
async fn not_again() -> Result<(), GatewayError> {
    Err(GatewayError::Busy)
}

async fn started_with(settings: &str) -> kinoko::Result<()> {
    let settings = Settings::from_yaml(settings)?;
    App::new().settings(settings).service::<Payments>().start().await?.stop().await
}

#[tokio::test(start_paused = true)]
async fn settings_of_the_program_that_started_last_hold() {
    started_with("policies: {attribute-overridden: {timeout: 3ms}}").await.unwrap();
    assert_eq!(refusal(overridden().await), Refusal::Timeout { after: Duration::from_millis(3) });
    // One that says nothing of it changes nothing.
    started_with("{}").await.unwrap();
    assert_eq!(refusal(overridden().await), Refusal::Timeout { after: Duration::from_millis(3) });
    started_with("policies: {attribute-overridden: {timeout: 4ms}}").await.unwrap();
    assert_eq!(refusal(overridden().await), Refusal::Timeout { after: Duration::from_millis(4) });
}

#[tokio::test]
async fn settings_that_make_no_sense_for_a_method_do_not_start() {
    let cases = [
        ("{timeout: 0s}", "`timeout` is 0"),
        ("{retry: {max: 3}}", "not written to be done again"),
        ("{methods: {pay: {timeout: 1s}}}", "no client's policy"),
    ];
    for (section, text) in cases {
        let error = started_with(&format!("policies: {{attribute-once: {section}}}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(text), "{error}");
    }
    assert_eq!(not_again().await, Err(GatewayError::Busy));
}
