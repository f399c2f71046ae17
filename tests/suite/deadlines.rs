//! Deadlines: calls end by them, workers too, nested calls inherit them. The clock is paused: nothing here waits.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use kinoko::{CallError, prelude::*};
use tokio::{sync::Notify, time::Instant};

#[derive(Clone, Default)]
struct Probe(Arc<Seen>);

#[derive(Default)]
struct Seen {
    started: AtomicU32,
    finished: AtomicU32,
    dropped: AtomicU32,
    gate: Notify,
    error: OnceLock<String>,
}

impl Dependency for Probe {
    type Options = ();
    const SCOPE: kinoko::Scope = kinoko::Scope::Process;
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

struct OnDrop(Probe);
impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Dependencies)]
struct Slow {
    probe: Probe,
}

#[service(name = "deadlines_slow")]
impl Slow {
    #[rpc]
    async fn never(&self) {
        self.probe.0.started.fetch_add(1, Ordering::SeqCst);
        let _on_drop = OnDrop(self.probe.clone());
        std::future::pending::<()>().await;
        self.probe.0.finished.fetch_add(1, Ordering::SeqCst);
    }

    #[rpc(timeout = "3s")]
    async fn limited(&self) {
        std::future::pending::<()>().await;
    }

    #[rpc(max_workers = 1, timeout = "3s")]
    async fn limited_one_at_a_time(&self) {
        self.probe.0.gate.notified().await;
    }

    #[rpc]
    fn remaining(&self, #[inject] cx: WorkerContext) -> Option<u64> {
        cx.remaining().map(|left| u64::try_from(left.as_millis()).unwrap())
    }

    #[rpc(max_workers = 1)]
    async fn one_at_a_time(&self) {
        self.probe.0.started.fetch_add(1, Ordering::SeqCst);
        self.probe.0.gate.notified().await;
    }

    #[rpc]
    fn counts(&self) -> (u32, u32, u32) {
        let seen = &self.probe.0;
        let read = |count: &AtomicU32| count.load(Ordering::SeqCst);
        (read(&seen.started), read(&seen.finished), read(&seen.dropped))
    }

    #[rpc]
    fn error(&self) -> Option<String> {
        self.probe.0.error.get().cloned()
    }

    #[rpc]
    fn open(&self) {
        self.probe.0.gate.notify_one();
    }
}

#[derive(Dependencies)]
struct Caller {
    #[dependency(timeout = "20s")]
    slow: SlowClient,
    probe: Probe,
}

#[service(name = "deadlines_caller")]
impl Caller {
    #[rpc]
    async fn remaining(&self) -> kinoko::Result<(Option<u64>, Option<u64>)> {
        let inherited = self.slow.remaining().await?;
        let shorter = self.slow.remaining().timeout(Duration::from_secs(1)).await?;
        Ok((inherited, shorter))
    }

    #[rpc]
    async fn wait(&self) -> String {
        // The worker is dropped at its deadline; this task of it is not.
        let slow = self.slow.clone();
        let probe = self.probe.clone();
        kinoko::spawn(async move {
            let error = slow.never().await.unwrap_err();
            probe.0.error.set(error.to_string()).unwrap();
        });
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_timeout_and_its_worker_with_it() {
    let app = App::new().service::<Slow>().start().await.unwrap();
    let slow = app.client::<SlowClient>();
    let started = Instant::now();
    let error = slow.never().timeout(Duration::from_millis(1500)).await.unwrap_err();
    assert_eq!(error.to_string(), "`deadlines_slow.never` did not answer within 1.5s");
    assert!(error.may_have_run());
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(1500) && elapsed < Duration::from_millis(1510), "{elapsed:?}");
    assert_eq!(slow.counts().await.unwrap(), (1, 0, 1), "the method's future was dropped");
    assert_eq!((app.pending_calls(), app.running_workers()), (0, 0));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_default_timeout_is_thirty_seconds_and_settings_change_it() {
    for (yaml, expected) in [("", 30), ("rpc_timeout: 4s", 4)] {
        let settings = kinoko::Settings::from_yaml(yaml).unwrap();
        let app = App::new().settings(settings).service::<Slow>().start().await.unwrap();
        match app.client::<SlowClient>().never().await {
            Err(CallError::Timeout(timeout)) => assert_eq!(timeout.after, Duration::from_secs(expected)),
            other => panic!("{other:?}"),
        }
        app.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_methods_timeout_is_the_clients_default_and_the_workers_limit() {
    let app = App::new().service::<Slow>().start().await.unwrap();
    match app.client::<SlowClient>().limited().await {
        Err(CallError::Timeout(timeout)) => assert_eq!(timeout.after, Duration::from_secs(3)),
        other => panic!("{other:?}"),
    }
    // Called by name the client does not know it; the worker ends all the same.
    let pending = app.proxy().call("deadlines_slow", "limited").send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert_eq!(app.running_workers(), 0);
    // And its caller, who would have waited longer, is told; a Python one would have waited for ever.
    let error = pending.await.unwrap_err();
    assert_eq!(error.to_string(), "Timeout: `deadlines_slow.limited` took longer than the 3s that it may");
    assert!(error.may_have_run());
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nested_calls_inherit_what_is_left() {
    let app = App::new().service::<Slow>().service::<Caller>().start().await.unwrap();
    let caller = app.client::<CallerClient>();
    let (inherited, shorter) = caller.remaining().timeout(Duration::from_secs(5)).await.unwrap();
    assert!(inherited.is_some_and(|left| left > 4_900 && left <= 5_000), "{inherited:?}");
    assert!(shorter.is_some_and(|left| left > 900 && left <= 1_000), "{shorter:?}");
    let (inherited, _) = caller.remaining().await.unwrap();
    assert!(inherited.is_some_and(|left| left > 19_900 && left <= 20_000), "the client's own timeout: {inherited:?}");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_past_its_deadline_is_not_run() {
    let app = App::new().service::<Slow>().start().await.unwrap();
    let slow = app.client::<SlowClient>();
    let first = slow.one_at_a_time().send().await.unwrap();
    let second = slow.one_at_a_time().timeout(Duration::from_secs(1)).await;
    assert!(matches!(second, Err(CallError::Timeout(_))), "{second:?}");
    slow.open().await.unwrap();
    first.await.unwrap();
    assert_eq!(slow.counts().await.unwrap().0, 1, "the second never started");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timeout_says_when_nobody_is_running() {
    let broker = format!("memory://{}", kinoko_tests::unique("deadlines"));
    let client = kinoko::Client::connect(&broker).await.unwrap();
    let app = App::new().broker(&*broker).service::<Slow>().start().await.unwrap();
    app.stop().await.unwrap();
    // The queue is still there and takes the request; nobody consumes it.
    let error = client.service::<SlowClient>().counts().timeout(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`deadlines_slow.counts` did not answer within 5s: no instance of `deadlines_slow` is running"
    );
    // What was true then is not said for ever.
    let app = App::new().broker(&*broker).service::<Slow>().start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let error = client.service::<SlowClient>().never().timeout(Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(error.to_string(), "`deadlines_slow.never` did not answer within 500ms");
    app.stop().await.unwrap();
    client.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_endless_timeout_is_no_overflow() {
    let settings = kinoko::Settings::from_yaml("parent_calls_tracked: 18446744073709551615").unwrap();
    let app = App::new().settings(settings).service::<Slow>().service::<Caller>().start().await.unwrap();
    let left = app.client::<SlowClient>().remaining().timeout(Duration::MAX).await.unwrap();
    assert!(left.is_some_and(|left| left > 86_400_000), "{left:?}");
    app.client::<CallerClient>().remaining().timeout(Duration::MAX).await.unwrap();
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timeout_tells_how_long_the_call_had() {
    let app = App::new().service::<Slow>().service::<Caller>().start().await.unwrap();
    app.client::<CallerClient>().wait().timeout(Duration::from_secs(2)).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let error = app.client::<SlowClient>().error().await.unwrap().unwrap();
    // Not the 20 s of the client: less was left.
    let told = error.strip_prefix("`deadlines_slow.never` did not answer within ");
    assert!(told.is_some_and(|told| told == "2s" || told.starts_with("1.9")), "{error}");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_for_a_place_longer_than_its_method_may_run_is_told() {
    let app = App::new().service::<Slow>().start().await.unwrap();
    let call = || app.proxy().call("deadlines_slow", "limited_one_at_a_time").send();
    let (first, second) = (call().await.unwrap(), call().await.unwrap());
    for pending in [first, second] {
        let error = pending.await.unwrap_err();
        assert!(error.to_string().ends_with("took longer than the 3s that it may"), "{error}");
    }
    app.stop().await.unwrap();
}
