//! What goes around the calls of a client, by the options of its field and by settings.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use kinoko::{
    CallError, Settings,
    prelude::*,
    resilience::{Bulkhead, CircuitBreaker, RateLimit, Refusal, Retry},
};
use tokio::{sync::Notify, time::Instant};

/// What the gateway does, and how often it was asked.
#[derive(Clone, Default)]
struct Gateway {
    asked: Arc<AtomicUsize>,
    /// So many calls fail, then all go well.
    fails: Arc<AtomicUsize>,
    hangs: Arc<AtomicBool>,
    go_on: Arc<Notify>,
    keys: Arc<std::sync::Mutex<Vec<Option<String>>>>,
}

thread_local! {
    static GATEWAY: Gateway = Gateway::default();
}

impl Dependency for Gateway {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(GATEWAY.with(Clone::clone))
    }
}

impl Gateway {
    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }

    fn fail(&self, times: usize) {
        self.fails.store(times, SeqCst);
    }
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum BankError {
    #[error("declined")]
    #[fault(http = 402)]
    Declined,
    #[error("busy")]
    #[fault(http = 503, retry = true)]
    Busy,
    #[error("the vault is open")]
    Broken,
}

#[derive(Dependencies)]
struct Bank {
    gateway: Gateway,
}

#[service(name = "policies_bank")]
impl Bank {
    /// Fails in the way that is asked for, as often as the gateway is told to.
    #[rpc]
    async fn charge(&self, #[inject] cx: WorkerContext, how: String) -> Result<u32, BankError> {
        self.gateway.asked.fetch_add(1, SeqCst);
        let key = cx.header("kinoko.idempotency_key").and_then(|key| key.as_str()).map(str::to_owned);
        self.gateway.keys.lock().unwrap().push(key);
        if self.gateway.hangs.load(SeqCst) {
            self.gateway.go_on.notified().await;
        }
        let fails = self.gateway.fails.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        match how.as_str() {
            _ if !fails => Ok(7),
            "declined" => Err(BankError::Declined),
            "busy" => Err(BankError::Busy),
            _ => Err(BankError::Broken),
        }
    }

    #[rpc(name = "balance_of")]
    fn balance(&self) -> u32 {
        self.gateway.asked.fetch_add(1, SeqCst);
        100
    }
}

/// Calls the bank with what its field says.
macro_rules! shop {
    ($name:ident, $service:tt, $($options:tt)*) => {
        #[derive(Dependencies)]
        struct $name {
            #[dependency($($options)*)]
            bank: BankClient,
        }

        #[service(name = $service)]
        impl $name {
            #[rpc(timeout = "1h")]
            async fn pay(&self, how: String) -> Result<String, kinoko::Error> {
                Ok(told(self.bank.charge(how).await))
            }

            #[rpc(timeout = "1h")]
            async fn pay_under(&self, key: String, how: String) -> Result<String, kinoko::Error> {
                Ok(told(self.bank.charge(how).idempotency_key(key).await))
            }

            #[rpc(timeout = "1h")]
            async fn pay_later(&self, how: String) -> Result<String, kinoko::Error> {
                match self.bank.charge(how).send().await {
                    Ok(pending) => Ok(told(pending.await)),
                    Err(error) => Ok(told(Err(error))),
                }
            }

            #[rpc(timeout = "1h")]
            async fn balance(&self) -> Result<String, kinoko::Error> {
                Ok(told(self.bank.balance().await.map_err(|_| CallError::<BankError>::ReplyChannelLost)))
            }
        }
    };
}

/// What a caller makes of it.
fn told(answer: Result<u32, CallError<BankError>>) -> String {
    match answer {
        Ok(number) => number.to_string(),
        Err(CallError::Service(error)) => error.to_string(),
        Err(CallError::Timeout(_)) => "timeout".into(),
        Err(CallError::CircuitOpen(refused)) => {
            assert!(matches!(refused.reason, Refusal::CircuitOpen { .. }));
            format!("open: {}", refused.policy)
        }
        Err(CallError::BulkheadFull(refused)) => format!("full: {}", refused.policy),
        Err(CallError::RateLimited(refused)) => format!("limited: {}", refused.policy),
        Err(other) => other.to_string(),
    }
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker { min_calls: 4, open_for: Duration::from_secs(5), trials: 1, ..CircuitBreaker::default() }
}

shop!(Retrying, "policies_retrying", timeout = "10s", retry = 3);
shop!(Breaking, "policies_breaking", breaker = breaker());
shop!(Crowded, "policies_crowded", bulkhead = Bulkhead { concurrency: 2, queue: 1 });
shop!(
    Slow,
    "policies_slow",
    timeout = "3s",
    attempt_timeout = "1s",
    retry = Retry { idempotent: true, ..Retry::times(1) }
);
shop!(Limited, "policies_limited", rate_limit = RateLimit { calls: 2, ..RateLimit::default() });
shop!(Plain, "policies_plain", timeout = "10s");

#[tokio::test(start_paused = true)]
async fn what_says_that_it_may_be_repeated_is_and_nothing_else() {
    let app = App::new().service::<Bank>().service::<Retrying>().start().await.unwrap();
    let (gateway, shop) = (GATEWAY.with(Clone::clone), app.client::<RetryingClient>());
    for (how, fails, answer, asked) in [
        ("busy", 2, "7", 3),
        ("busy", 9, "busy", 4),
        ("declined", 1, "declined", 1),
        ("broken", 1, "the vault is open", 1),
    ] {
        let before = gateway.asked();
        gateway.fail(fails);
        assert_eq!(shop.pay(how.into()).await.unwrap(), answer, "{how}");
        assert_eq!(gateway.asked() - before, asked, "{how}, {fails} times");
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn under_a_key_what_may_have_run_is_repeated_with_the_same_key() {
    let app = App::new().service::<Bank>().service::<Retrying>().start().await.unwrap();
    let (gateway, shop) = (GATEWAY.with(Clone::clone), app.client::<RetryingClient>());
    gateway.fail(2);
    assert_eq!(shop.pay_under("order 1".into(), "broken".into()).await.unwrap(), "7");
    gateway.fail(1);
    assert_eq!(shop.pay_under("order 2".into(), "declined".into()).await.unwrap(), "declined", "an answer is one");
    let keys: Vec<_> = gateway.keys.lock().unwrap().iter().flatten().cloned().collect();
    assert_eq!(keys, ["order 1", "order 1", "order 1", "order 2"]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_circuit_opens_refuses_at_once_and_closes_when_a_trial_goes_well() {
    let app = App::new().service::<Bank>().service::<Breaking>().start().await.unwrap();
    let (gateway, shop) = (GATEWAY.with(Clone::clone), app.client::<BreakingClient>());
    gateway.fail(4);
    for _ in 0..4 {
        assert_eq!(shop.pay("declined".into()).await.unwrap(), "declined", "an answer opens nothing");
    }
    gateway.fail(usize::MAX);
    let answers = [shop.pay("broken".into()).await.unwrap(), shop.pay("broken".into()).await.unwrap()];
    assert_eq!(answers, ["the vault is open"; 2]);
    let asked = gateway.asked();
    let mut answer = String::new();
    for _ in 0..3 {
        answer = shop.pay("broken".into()).await.unwrap();
    }
    assert_eq!(answer, "open: policies_bank");
    assert!(gateway.asked() - asked <= 2);
    gateway.fail(0);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(shop.pay("broken".into()).await.unwrap(), "7");
    assert_eq!(shop.balance().await.unwrap(), "100");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn beyond_its_room_a_client_waits_and_beyond_that_it_refuses() {
    let app = App::new().service::<Bank>().service::<Crowded>().start().await.unwrap();
    let (gateway, shop) = (GATEWAY.with(Clone::clone), app.client::<CrowdedClient>());
    gateway.hangs.store(true, SeqCst);
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(shop.pay("well".into()).send().await.unwrap());
    }
    kinoko_tests::eventually(Duration::from_secs(5), "two are under way", || async {
        (gateway.asked() == 2).then_some(())
    })
    .await;
    assert_eq!(shop.pay("well".into()).await.unwrap(), "full: policies_bank");
    assert_eq!(shop.pay_later("well".into()).await.unwrap(), "full: policies_bank", "sent or awaited");
    gateway.hangs.store(false, SeqCst);
    gateway.go_on.notify_waiters();
    for call in calls {
        assert_eq!(call.await.unwrap(), "7");
    }
    assert_eq!(gateway.asked(), 3);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_its_time_and_the_whole_has_its_own() {
    let app = App::new().service::<Bank>().service::<Slow>().start().await.unwrap();
    let (gateway, shop) = (GATEWAY.with(Clone::clone), app.client::<SlowClient>());
    gateway.hangs.store(true, SeqCst);
    let began = Instant::now();
    assert_eq!(shop.pay("well".into()).await.unwrap(), "timeout");
    assert_eq!(gateway.asked(), 2);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2) && took <= Duration::from_millis(2_200), "{took:?}");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_begin_than_the_rate_allows() {
    let app = App::new().service::<Bank>().service::<Limited>().start().await.unwrap();
    let shop = app.client::<LimitedClient>();
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(shop.pay("well".into()).await.unwrap());
    }
    assert_eq!(answers, ["7", "7", "limited: policies_bank"]);
    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(shop.pay("well".into()).await.unwrap(), "7");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn settings_say_it_in_the_place_of_the_code_also_for_one_method() {
    let settings = Settings::from_yaml(
        "policies:\n  policies_bank:\n    retry: {max: 1, backoff: 10ms}\n    methods:\n      balance: {rate_limit: 1/m}\n",
    );
    let app = App::new().service::<Bank>().service::<Plain>().settings(settings.unwrap()).start().await.unwrap();
    let (gateway, shop) = (GATEWAY.with(Clone::clone), app.client::<PlainClient>());
    gateway.fail(1);
    assert_eq!(shop.pay("busy".into()).await.unwrap(), "7");
    assert_eq!(shop.balance().await.unwrap(), "100");
    let limited = shop.balance().await.unwrap();
    assert!(limited.contains("connection was lost"), "{limited}");
    assert_eq!(gateway.asked(), 3);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn settings_that_make_no_sense_do_not_start() {
    for (yaml, text) in [
        ("retry: {times: 3}", "times"),
        ("breaker: {failure_rate: 50}", "a share is above 0 and at most 1"),
        ("rate_limit: fast", "`fast` is no rate: write calls and a time, `100/s` or `50/200ms`"),
        ("bulkhead: {concurrency: 0}", "`bulkhead.concurrency` is 0 and would refuse every call"),
        ("methods: {chrage: {timeout: 1s}}", "`policies_bank` has no method `chrage`"),
        ("timeout: 0s", "`timeout` is 0: write at least `1ms`"),
    ] {
        let settings = Settings::from_yaml(&format!("policies:\n  policies_bank:\n    {yaml}\n")).unwrap();
        let started = App::new().service::<Bank>().service::<Breaking>().settings(settings).start().await;
        let error = started.err().unwrap_or_else(|| panic!("{yaml} starts")).to_string();
        assert!(error.contains(text) && error.contains("policies_bank"), "{yaml}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_repeated_in_vain_is_not_repeated_again_one_layer_above() {
    /// Calls who calls the bank.
    #[derive(Dependencies)]
    struct Desk {
        #[dependency(retry = 3, timeout = "20s")]
        till: TillClient,
    }

    #[service(name = "policies_desk")]
    impl Desk {
        #[rpc(timeout = "1h")]
        async fn pay(&self) -> kinoko::Result<u32> {
            Ok(self.till.pay().await?)
        }
    }

    let app = App::new().service::<Bank>().service::<Till>().service::<Desk>().start().await.unwrap();
    let gateway = GATEWAY.with(Clone::clone);
    gateway.fail(usize::MAX);
    let failed = app.proxy().call("policies_desk", "pay").await.unwrap_err();
    assert!(failed.to_string().contains("busy"), "{failed}");
    assert_eq!(gateway.asked(), 4, "the first time and three more, not four times that");
    app.stop().await.unwrap();
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum TillError {
    #[error("the bank: {0}")]
    #[fault(forward)]
    Bank(#[from] CallError<BankError>),
}

#[derive(Dependencies)]
struct Till {
    #[dependency(retry = 3, timeout = "10s")]
    bank: BankClient,
}

#[service(name = "policies_till")]
impl Till {
    #[rpc(timeout = "1h")]
    async fn pay(&self) -> Result<u32, TillError> {
        Ok(self.bank.charge("busy".into()).await?)
    }
}
