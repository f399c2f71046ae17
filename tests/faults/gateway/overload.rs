//! Ten times as much as the service can do, and then as much as before.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use contracts::PaymentsClient;
use gateway::Switch;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{Stage, is_proof, seconds};
use crate::report;

/// Ten workers, each of which waits for the gateway: a hundred calls a second, on any machine.
const WORKERS: u32 = 10;
const LATENCY: Duration = Duration::from_millis(100);

/// How long callers wait.
const DEADLINE: Duration = Duration::from_secs(1);

/// Over which goodput is counted.
const WINDOW: Duration = Duration::from_secs(1);

/// The share of what the service can do that it is asked for when all is normal.
const NORMAL: f64 = 0.8;

/// When calls were answered that were answered in their deadline, and how many were made.
#[derive(Default)]
struct Answers {
    at: Mutex<Vec<Instant>>,
    orders: AtomicU64,
}

impl Answers {
    async fn call(&self, payments: &PaymentsClient) {
        let order = self.orders.fetch_add(1, Ordering::Relaxed);
        let charge = payments.charge(order, 500).idempotency_key(format!("order-{order}")).timeout(DEADLINE);
        if charge.await.is_ok() {
            self.at.lock().unwrap().push(Instant::now());
        }
    }

    /// How many a second, from then to then.
    fn goodput(&self, from: Instant, to: Instant) -> f64 {
        let answers = self.at.lock().unwrap().iter().filter(|at| (from..to).contains(*at)).count();
        answers as f64 / (to - from).as_secs_f64()
    }
}

/// Calls at a steady rate, whether those before are answered or not.
struct Offered {
    running: Arc<AtomicBool>,
    offering: JoinHandle<()>,
}

impl Offered {
    fn start(payments: &PaymentsClient, answers: &Arc<Answers>, per_second: f64) -> Self {
        let (payments, answers, running) = (payments.clone(), answers.clone(), Arc::new(AtomicBool::new(true)));
        let offering = tokio::spawn({
            let running = running.clone();
            async move {
                let mut calls = JoinSet::new();
                let mut tick = interval(Duration::from_secs_f64(1.0 / per_second));
                // A busy machine must not lower the rate.
                tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
                while running.load(Ordering::Relaxed) {
                    tick.tick().await;
                    let (payments, answers) = (payments.clone(), answers.clone());
                    calls.spawn(async move { answers.call(&payments).await });
                    while calls.try_join_next().is_some() {}
                }
                calls.join_all().await;
            }
        });
        Self { running, offering }
    }

    /// No more calls. Those that wait go on waiting, until the handle is done.
    fn stop(self) -> JoinHandle<()> {
        self.running.store(false, Ordering::Relaxed);
        self.offering
    }
}

/// What it can do, when always as many callers wait as there are workers, and a few more.
async fn capacity(payments: &PaymentsClient, answers: &Arc<Answers>) -> f64 {
    let (running, from) = (Arc::new(AtomicBool::new(true)), Instant::now());
    let mut callers = JoinSet::new();
    for _ in 0..WORKERS * 2 {
        let (payments, answers, running) = (payments.clone(), answers.clone(), running.clone());
        callers.spawn(async move {
            while running.load(Ordering::Relaxed) {
                answers.call(&payments).await;
            }
        });
    }
    sleep(seconds(5, 3)).await;
    let goodput = answers.goodput(from, Instant::now());
    running.store(false, Ordering::Relaxed);
    callers.join_all().await;
    goodput
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn goodput_is_back_after_an_overload() {
    let stage = Stage::start(WORKERS).await;
    stage.gateway.switch(Switch::slow(LATENCY));
    let answers = Arc::<Answers>::default();
    let capacity = capacity(&stage.payments, &answers).await;

    let began = Instant::now();
    let normal = Offered::start(&stage.payments, &answers, capacity * NORMAL);
    sleep(seconds(10, 4)).await;
    let before = answers.goodput(began, Instant::now());

    // The callers of before stay; others come.
    let (overloaded, offered) = (Instant::now(), answers.orders.load(Ordering::Relaxed));
    let overload = Offered::start(&stage.payments, &answers, capacity * 10.0);
    sleep(seconds(20, 5)).await;
    let end = Instant::now();
    let offered = (answers.orders.load(Ordering::Relaxed) - offered) as f64 / (end - overloaded).as_secs_f64();
    let during = answers.goodput(overloaded, end);
    let overload = overload.stop();

    let recovered = loop {
        sleep(Duration::from_millis(50)).await;
        let now = Instant::now();
        if now - end >= WINDOW && answers.goodput(now - WINDOW, now) >= 0.9 * before {
            break now - end;
        }
        assert!(now - end < Duration::from_secs(60), "goodput does not come back");
    };
    // And it stays.
    let stays = Instant::now();
    sleep(seconds(10, 4)).await;
    let after = answers.goodput(stays, Instant::now());
    let unsettled = stage.count("pending").await;
    overload.await.unwrap();
    normal.stop().await.unwrap();

    report(
        &format!("{WORKERS} workers, a gateway that takes {LATENCY:?}, deadlines of {DEADLINE:?}"),
        &format!(
            "capacity {capacity:.0} calls/s; normal load {before:.0}/s answered; for {:.1?} {offered:.0}/s offered, {during:.0}/s answered in \
             their deadline; then 90 % of before again after {recovered:.1?}, and {after:.0}/s from there on; {unsettled} payments pending",
            end - overloaded,
        ),
    );
    assert!(offered >= 9.0 * capacity, "it was no overload of ten times: {offered} of {capacity}");
    // Who comes first is served first: without shedding each call is begun when its caller is about to give up, and nearly none is over in time.
    // That is one call in sixteen. How many with it depends on what the calls that are refused cost, most in a debug build beside others.
    let least = if is_proof() { 0.4 } else { 0.15 };
    assert!(during >= least * capacity, "{during} of {capacity}");
    assert!(before >= 0.9 * NORMAL * capacity, "{before} of {capacity}");
    assert!(recovered <= Duration::from_secs(10), "{recovered:?}");
    assert!(after >= 0.9 * before, "{after}, {before} before");
    stage.stop().await;
}
