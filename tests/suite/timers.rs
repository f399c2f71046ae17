//! Timers: when they fire, what becomes of their workers, and how they stop.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use kinoko::{ErrorKind, Verdict, prelude::*, testing::TestApp};
use kinoko_tests::{captured_log, unique};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

/// What the timers of one test have done, and what they are to do.
#[derive(Clone)]
struct Diary(Arc<Pages>);

struct Pages {
    began: Instant,
    entries: Mutex<Vec<(String, u64)>>,
    gate: Semaphore,
}

// Each test runs on a thread of its own, so this is one diary per test.
thread_local! {
    static DIARY: std::cell::RefCell<Option<Diary>> = const { std::cell::RefCell::new(None) };
}

impl Dependency for Diary {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::of_this_test())
    }
}

impl Diary {
    /// It begins when it is first asked for.
    fn of_this_test() -> Self {
        DIARY.with_borrow_mut(|diary| {
            let pages = || Pages { began: Instant::now(), entries: Mutex::default(), gate: Semaphore::new(0) };
            diary.get_or_insert_with(|| Self(Arc::new(pages()))).clone()
        })
    }

    fn note(&self, what: impl Into<String>) {
        self.0.entries.lock().unwrap().push((what.into(), self.0.began.elapsed().as_secs()));
    }

    /// When each entry of this kind was made, in seconds since the start.
    fn times(&self, what: &str) -> Vec<u64> {
        self.0.entries.lock().unwrap().iter().filter(|(entry, _)| entry == what).map(|(_, at)| *at).collect()
    }
}

/// Lets this much time pass: at once, since the clock is paused.
fn pass(seconds: u64) -> impl Future<Output = ()> {
    // A moment more, so that whoever is due then has run.
    sleep(Duration::from_millis(seconds * 1000 + 10))
}

#[derive(Dependencies)]
struct Steady {
    diary: Diary,
}

#[service(name = "timers_steady")]
impl Steady {
    #[timer(every = "10s")]
    async fn tick(&self) {
        self.diary.note("tick");
        sleep(Duration::from_secs(3)).await;
    }

    #[timer(every = "10s", eager)]
    fn eager(&self) {
        self.diary.note("eager");
    }

    #[timer(every = "10s", eager)]
    async fn slow(&self) {
        self.diary.note("slow");
        sleep(Duration::from_secs(25)).await;
        self.diary.note("slow is over");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_fires_at_multiples_of_its_interval_since_the_start() {
    captured_log();
    let diary = Diary::of_this_test();
    let app = TestApp::new().service::<Steady>().start().await.unwrap();
    pass(70).await;
    app.stop().await.unwrap();
    assert_eq!(diary.times("tick"), [10, 20, 30, 40, 50, 60, 70], "however long its workers take");
    assert_eq!(diary.times("eager"), [0, 10, 20, 30, 40, 50, 60, 70]);
    // A run that takes longer than the interval has the ticks meanwhile to itself.
    assert_eq!(diary.times("slow"), [0, 30, 60]);
    assert_eq!(diary.times("slow is over"), [25, 55, 85], "the stop waits for the last one");
    let skipped = r#"a timer was not done by its next tick, which is skipped service="timers_steady" method="slow""#;
    assert!(captured_log().contains(skipped));
}

#[derive(Dependencies)]
struct ByCalendar {
    diary: Diary,
}

#[service(name = "timers_by_calendar")]
impl ByCalendar {
    #[timer(cron = "30 2 * * *", zone = "Europe/Berlin")]
    fn nightly(&self) {
        self.diary.note("nightly");
    }

    #[timer(cron = "0 */20 * * * *")]
    fn three_an_hour(&self) {
        self.diary.note("three an hour");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cron_expression_follows_the_calendar_of_its_zone() {
    const HOUR: u64 = 60 * 60;
    let diary = Diary::of_this_test();
    // Midnight in Berlin, where 03:00 follows on 01:59:59 in the night after.
    let app = TestApp::new().service::<ByCalendar>().at("2026-03-27T23:00:00Z").start().await.unwrap();
    pass(3 * 24 * HOUR).await;
    app.stop().await.unwrap();
    let half_past_two = 2 * HOUR + HOUR / 2;
    assert_eq!(diary.times("nightly"), [half_past_two, 24 * HOUR + 2 * HOUR, 47 * HOUR + half_past_two]);
    assert_eq!(diary.times("three an hour"), (1..=3 * 24 * 3).map(|n| n * HOUR / 3).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cron_expression_follows_the_systems_clock() {
    #[derive(Dependencies)]
    struct EverySecond;

    #[service(name = "timers_every_second")]
    impl EverySecond {
        #[timer(cron = "* * * * * *")]
        fn tick(&self) {
            kinoko::tracing::info!(target: "kinoko::timers_test", "a second of the system's");
        }
    }

    captured_log();
    let app = App::new().service::<EverySecond>().start().await.unwrap();
    kinoko_tests::eventually(Duration::from_secs(10), "it fires", || async {
        captured_log().contains("a second of the system's").then_some(())
    })
    .await;
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Unlucky {
    diary: Diary,
}

#[service(name = "timers_unlucky")]
impl Unlucky {
    #[timer(every = "10s")]
    async fn fails(&self) -> Result<(), Verdict> {
        self.diary.note("fails");
        Err(kinoko::Error::msg("no luck today").into())
    }

    #[timer(every = "10s")]
    async fn panics(&self) {
        self.diary.note("panics");
        panic!("out of luck");
    }

    #[timer(every = "10s", timeout = "2s")]
    async fn hangs(&self) {
        self.diary.note("hangs");
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_ends_badly_is_logged_and_the_timer_goes_on() {
    captured_log();
    let diary = Diary::of_this_test();
    let app = TestApp::new().service::<Unlucky>().start().await.unwrap();
    let hanging = app.waiter("timers_unlucky", "hangs").within(Duration::from_secs(60));
    pass(30).await;
    assert_eq!(hanging.await.unwrap().cancelled(), Some(kinoko::Cancelled::DeadlinePassed));
    pass(2).await;
    assert_eq!(app.running_workers(), 0);
    app.stop().await.unwrap();
    let log = captured_log();
    for (method, text) in [
        ("fails", "worker failed"),
        ("fails", "no luck today"),
        ("panics", "worker failed"),
        ("panics", "out of luck"),
        ("hangs", "worker timed out"),
        ("hangs", "took longer than the 2s that it may"),
    ] {
        assert_eq!(diary.times(method), [10, 20, 30]);
        let call_id = format!(r#"call_id="timers_unlucky.{method}."#);
        let found = log.lines().any(|line| line.contains("ERROR") && line.contains(text) && line.contains(&call_id));
        assert!(found, "{method}: {text}: {log}");
    }
}

#[derive(Dependencies)]
struct Gated {
    diary: Diary,
}

#[service(name = "timers_gated", max_workers = 1)]
impl Gated {
    #[timer(every = "10s")]
    async fn tick(&self) {
        self.diary.note("begun");
        self.diary.0.gate.acquire().await.unwrap().forget();
        self.diary.note("done");
    }

    #[rpc]
    async fn hold(&self) {
        sleep(Duration::from_secs(15)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_takes_a_workers_slot() {
    let diary = Diary::of_this_test();
    let app = TestApp::new().service::<Gated>().start().await.unwrap();
    let client = app.client::<GatedClient>();
    let call = client.hold().send().await.unwrap();
    pass(14).await;
    assert_eq!((diary.times("begun"), app.running_workers()), (vec![], 1), "the call has the only slot");
    call.await.unwrap();
    pass(1).await;
    assert_eq!((diary.times("begun"), app.running_workers()), (vec![15], 1));
    let call = client.hold().timeout(Duration::from_secs(3)).await;
    assert!(matches!(call, Err(CallError::Timeout(_))), "the timer has the only slot: {call:?}");
    diary.0.gate.add_permits(100);
    pass(2).await;
    assert_eq!((diary.times("begun"), diary.times("done")), (vec![15, 20], vec![19, 20]));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_running_worker_and_nothing_fires_any_more() {
    let diary = Diary::of_this_test();
    let app = TestApp::new().service::<Gated>().start().await.unwrap();
    pass(10).await;
    let opened = tokio::spawn({
        let diary = diary.clone();
        async move {
            pass(12).await;
            diary.0.gate.add_permits(100);
        }
    });
    app.stop().await.unwrap();
    opened.await.unwrap();
    assert_eq!((diary.times("begun"), diary.times("done")), (vec![10], vec![22]));
    pass(60).await;
    assert_eq!(diary.times("begun"), [10]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_drops_what_outlives_the_grace_period() {
    let diary = Diary::of_this_test();
    let app = TestApp::new().service::<Gated>().yaml("grace_period: 2s").start().await.unwrap();
    pass(10).await;
    let error = app.stop().await.unwrap_err();
    assert_eq!(error.to_string(), "1 workers were dropped: they had not finished within the grace period of 2s");
    // What is dropped without a stop ends as well.
    let app = TestApp::new().service::<Gated>().start().await.unwrap();
    drop(app);
    pass(60).await;
    assert_eq!((diary.times("begun"), diary.times("done")), (vec![10], vec![]));
}

#[derive(Dependencies)]
struct Early {
    late: LateClient,
    diary: Diary,
}

#[service(name = "timers_early")]
impl Early {
    #[timer(every = "1h", eager)]
    async fn look(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        assert!(cx.parent_call_ids().is_empty() && cx.deadline().is_none() && cx.attempt() == 1);
        assert!(cx.call_id().starts_with("timers_early.look."));
        assert_eq!(self.late.called_by().await?, [cx.call_id()]);
        self.diary.note("found");
        Ok(())
    }
}

#[derive(Dependencies)]
struct Late;

#[service(name = "timers_late")]
impl Late {
    #[rpc]
    fn called_by(&self, #[inject] cx: WorkerContext) -> Vec<String> {
        cx.parent_call_ids()
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_of_a_timer_has_a_context_that_nobody_called() {
    let diary = Diary::of_this_test();
    let app = TestApp::new().service::<Early>().service::<Late>().start().await.unwrap();
    pass(1).await;
    app.stop().await.unwrap();
    assert_eq!(diary.times("found"), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_test_leaves_timers_out_and_refuses_times_that_are_none() {
    let diary = Diary::of_this_test();
    let app = TestApp::new().service::<Steady>().only_entrypoints("timers_steady", ["eager"]).start().await.unwrap();
    pass(10).await;
    app.stop().await.unwrap();
    assert_eq!((diary.times("tick"), diary.times("eager")), (vec![], vec![0, 10]));
    let error = TestApp::new().service::<Steady>().at("tomorrow").start().await.unwrap_err();
    assert!(error.to_string().starts_with("`at`: "), "{error}");
}

#[tokio::test]
async fn a_zone_that_is_none_ends_the_start_and_names_the_timer() {
    #[derive(Dependencies)]
    struct Nowhere;

    #[service(name = "timers_nowhere")]
    impl Nowhere {
        #[timer(cron = "0 12 * * *", zone = "Europe/Atlantis")]
        fn noon(&self) {}
    }

    let error = App::new().service::<Nowhere>().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let text = error.to_string();
    assert!(text.starts_with("timer `timers_nowhere.noon`: the time zone `Europe/Atlantis`: "), "{text}");
}

/// Which of several programs fires.
#[derive(Clone)]
struct Me(Arc<str>);

impl Dependency for Me {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        unreachable!("each test says who it is")
    }
}

#[derive(Dependencies)]
struct Fleet {
    me: Me,
    diary: Diary,
}

#[service(name = "timers_fleet")]
impl Fleet {
    #[timer(every = "10s", once_per = "fleet")]
    async fn tick(&self) {
        self.diary.note("tick");
        self.diary.note(format!("tick of {}", self.me.0));
        sleep(Duration::from_secs(2)).await;
    }

    #[timer(every = "1h", once_per = "fleet", eager)]
    #[timer(cron = "30 * * * * *", once_per = "fleet")]
    fn both(&self) {
        self.diary.note("both");
    }
}

async fn instance(name: &str, broker: &str) -> kinoko::testing::RunningTestApp {
    let app = TestApp::new().service::<Fleet>().broker(broker).at("2026-01-01T00:00:01Z");
    app.replace(Me(name.into())).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_the_fleet_fires_in_one_instance_until_that_stops() {
    let diary = Diary::of_this_test();
    let broker = format!("memory://{}", unique("fleet"));
    let [a, b, c] = [instance("a", &broker).await, instance("b", &broker).await, instance("c", &broker).await];
    // Minutes, so that tokens are renewed more than once.
    pass(300).await;
    assert_eq!(diary.times("tick"), (0..30).map(|n| 9 + 10 * n).collect::<Vec<_>>(), "at full tens of the clock");
    assert_eq!(diary.times("tick of a").len(), 30, "always the same instance");
    assert_eq!(diary.times("both"), [0, 29, 89, 149, 209, 269], "two timers of one method");

    // It stops in the middle of a worker: the others wait for its end, and then go on with the beat.
    pass(9).await;
    tokio::join!(async { a.stop().await.unwrap() }, pass(31));
    assert_eq!(diary.times("tick of a").len(), 31);
    assert_eq!(diary.times("tick").len(), 34);
    assert_eq!(diary.times("tick").windows(2).filter(|pair| pair[1] - pair[0] != 10).count(), 0, "{diary:?}");
    assert!(diary.times("tick of b").is_empty() != diary.times("tick of c").is_empty(), "{diary:?}");
    b.stop().await.unwrap();
    c.stop().await.unwrap();

    // Nobody was there for a while: nothing has piled up.
    pass(95).await;
    let before = diary.times("tick").len();
    let d = instance("d", &broker).await;
    pass(20).await;
    assert_eq!(diary.times("tick").len() - before, 2);
    d.stop().await.unwrap();
}

#[derive(Dependencies)]
struct SlowFleet {
    me: Me,
    diary: Diary,
}

#[service(name = "timers_slow_fleet")]
impl SlowFleet {
    #[timer(every = "10s", once_per = "fleet")]
    async fn tick(&self) {
        self.diary.note(format!("tick of {}", self.me.0));
        sleep(Duration::from_secs(15)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopping_instance_keeps_a_timer_of_the_fleet_until_its_worker_is_over() {
    let diary = Diary::of_this_test();
    let broker = format!("memory://{}", unique("fleet"));
    let [a, b] = ["a", "b"].map(|name| {
        let app = TestApp::new().service::<SlowFleet>().broker(&broker).at("2026-01-01T00:00:01Z");
        app.replace(Me(name.into())).start()
    });
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    pass(10).await;
    a.stop().await.unwrap();
    pass(10).await;
    b.stop().await.unwrap();
    // What is due at 19 is due in the worker of the other one.
    assert_eq!((diary.times("tick of a"), diary.times("tick of b")), (vec![9], vec![29]));
}

impl std::fmt::Debug for Diary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.entries.lock().unwrap().fmt(f)
    }
}
