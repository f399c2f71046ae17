//! Hooks around each worker: of fields, and of injected parameters. A failing one is that call's fault and nothing else.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use kinoko::{CallError, Cancelled, Fault, WorkerHook, WorkerOutcome, prelude::*};

#[derive(Clone, Default)]
struct Hooked(Arc<Mutex<Vec<String>>>);

impl Hooked {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

fn wish(cx: &WorkerContext, hook: &str) -> kinoko::Result<()> {
    match cx.header("fail") {
        Some(at) if at == hook => Err(kinoko::Error::msg(format!("{hook} failed"))),
        Some(at) if *at == format!("panic in {hook}") => panic!("{hook} panicked"),
        _ => Ok(()),
    }
}

fn told(outcome: WorkerOutcome<'_>) -> &'static str {
    match outcome {
        WorkerOutcome::Ok => "ok",
        WorkerOutcome::Failed(_) => "failed",
        WorkerOutcome::Cancelled(Cancelled::DeadlinePassed) => "late",
        _ => "other",
    }
}

impl Dependency for Hooked {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
    async fn worker_setup(&self, cx: &WorkerContext) -> kinoko::Result<()> {
        self.note("setup");
        wish(cx, "setup")
    }
    async fn worker_result(&self, cx: &WorkerContext, outcome: WorkerOutcome<'_>) -> kinoko::Result<()> {
        self.note(&format!("result {}", told(outcome)));
        wish(cx, "result")
    }
    async fn worker_teardown(&self, cx: &WorkerContext) -> kinoko::Result<()> {
        self.note("teardown");
        wish(cx, "teardown")
    }
}

/// Commits on success, rolls back on everything else, as a database transaction does.
struct Tx(Hooked);

struct Commit {
    hooked: Hooked,
    fail: bool,
}

#[async_trait]
impl WorkerHook for Commit {
    async fn result(&mut self, outcome: WorkerOutcome<'_>) -> kinoko::Result<()> {
        self.hooked.note(if outcome.is_ok() { "commit" } else { "rollback" });
        if self.fail && outcome.is_ok() { Err(kinoko::Error::msg("commit failed")) } else { Ok(()) }
    }
    async fn teardown(&mut self) -> kinoko::Result<()> {
        self.hooked.note("tx closed");
        Ok(())
    }
}

impl<S: Has<Hooked> + Sync> FromWorker<S> for Tx {
    async fn from_worker(service: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        let hooked = service.get().clone();
        hooked.note("begin");
        cx.attach(Commit { hooked: hooked.clone(), fail: cx.header("fail").is_some_and(|at| at == "commit") });
        wish(cx, "begin")?;
        Ok(Self(hooked))
    }
}

#[derive(Dependencies)]
struct Hooks {
    hooked: Hooked,
}

#[service(name = "hooks")]
impl Hooks {
    #[rpc]
    async fn work(&self, #[inject] tx: Tx, how: &str) -> kinoko::Result<u32> {
        tx.0.note("work");
        match how {
            "fail" => Err(kinoko::Error::msg("method failed")),
            "panic" => panic!("method panicked"),
            "hang" => std::future::pending().await,
            _ => Ok(1),
        }
    }

    #[rpc]
    fn plain(&self) -> u32 {
        2
    }
}

/// Runs `work` and gives its answer with what happened around it.
async fn work(how: &str, fail: &str) -> (String, Vec<String>) {
    let hooked = Hooked::default();
    let client = HooksClient::from_service(Hooks { hooked: hooked.clone() });
    let call = client.work(how).header("fail", fail).timeout(Duration::from_secs(1));
    let answer = match call.await {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    };
    let journal = hooked.0.lock().unwrap().clone();
    (answer, journal)
}

fn journal(result: &str, end: &str) -> Vec<String> {
    ["setup", "begin", "work", end, &format!("result {result}"), "tx closed", "teardown"].map(str::to_owned).to_vec()
}

#[tokio::test(start_paused = true)]
async fn hooks_run_around_each_outcome() {
    assert_eq!(work("well", "").await, ("1".into(), journal("ok", "commit")));
    assert_eq!(work("fail", "").await, ("InternalError: method failed".into(), journal("failed", "rollback")));
    assert_eq!(work("panic", "").await, ("Panic: method panicked".into(), journal("failed", "rollback")));
    let (answer, seen) = work("hang", "").await;
    assert_eq!(answer, "`hooks.work` did not answer within 1s");
    assert_eq!(seen, journal("late", "rollback"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_commit_is_not_reported_as_success() {
    let (answer, seen) = work("well", "commit").await;
    assert_eq!(answer, "InternalError: commit failed");
    assert_eq!(seen, journal("failed", "commit"), "the hooks after it are told");
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_in_a_hook_is_that_calls_fault() {
    for (hook, last) in [("setup", "teardown"), ("begin", "teardown"), ("result", "teardown"), ("teardown", "teardown")]
    {
        let (answer, seen) = work("well", hook).await;
        assert_eq!(answer, format!("InternalError: {hook} failed"));
        assert_eq!(seen.last().map(String::as_str), Some(last), "teardown runs whatever happened: {seen:?}");
        let (answer, seen) = work("well", &format!("panic in {hook}")).await;
        assert_eq!(answer, format!("Panic: {hook} panicked"));
        assert_eq!(seen.last().map(String::as_str), Some(last), "a panic keeps no hook from running: {seen:?}");
    }
    let (answer, seen) = work("well", "setup").await;
    assert!(!seen.contains(&"work".to_owned()), "{answer} {seen:?}");
}

/// Needs what the method holds.
struct Locked(Arc<tokio::sync::Mutex<()>>);

#[async_trait]
impl WorkerHook for Locked {
    async fn result(&mut self, _: WorkerOutcome<'_>) -> kinoko::Result<()> {
        drop(self.0.lock().await);
        Ok(())
    }
}

#[derive(Dependencies)]
struct Locking;

#[service(name = "hooks_locking")]
impl Locking {
    #[rpc]
    async fn hang(&self, #[inject] cx: WorkerContext) {
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        cx.attach(Locked(lock.clone()));
        let _held = lock.lock().await;
        std::future::pending::<()>().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_method_is_dropped_before_its_hooks_run() {
    let app = App::new().service::<Locking>().start().await.unwrap();
    let late = app.client::<LockingClient>().hang().timeout(Duration::from_secs(1)).await;
    assert!(matches!(late, Err(CallError::Timeout(_))), "{late:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(app.running_workers(), 0, "its hook waited for what it held");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_hook_runs_for_arguments_that_do_not_bind() {
    let hooked = Hooked::default();
    let app = App::new().service::<Hooks>().start().await.unwrap();
    let error = app.proxy().call("hooks", "plain").arg(1).await.unwrap_err();
    assert_eq!(error.to_string(), "bad request: takes 0 arguments, got 1");
    assert!(hooked.0.lock().unwrap().is_empty());
    app.stop().await.unwrap();
    fn assert_send<F: Future + Send>(future: F) -> F {
        future
    }
    drop(assert_send(work("well", "")));
}

#[derive(Dependencies)]
struct TwoHooks {
    first: Hooked,
    last: Hooked,
}

#[service(name = "hooks_two")]
impl TwoHooks {
    #[rpc]
    fn work(&self) -> usize {
        self.first.0.lock().unwrap().len() + self.last.0.lock().unwrap().len()
    }
}

#[tokio::test]
async fn a_fields_hook_that_fails_or_panics_keeps_no_other_fields() {
    for fail in ["result", "teardown", "panic in result", "panic in teardown"] {
        let (first, last) = (Hooked::default(), Hooked::default());
        let client = TwoHooksClient::from_service(TwoHooks { first: first.clone(), last: last.clone() });
        client.work().header("fail", fail).await.unwrap_err();
        for hooked in [first, last] {
            assert_eq!(*hooked.0.lock().unwrap(), ["setup", "result ok", "teardown"], "{fail}");
        }
    }
}
