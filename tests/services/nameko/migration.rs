//! A service moves from Python to Rust and back, one instance at a time, while everybody calls it.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use kinoko::{App, Call, Client, prelude::*};
use kinoko_tests::{Python, PythonLoad, PythonService, Raw, amqp_uri, eventually};

use super::with_both_namekos;
use crate::{proof_calls, proves};

with_both_namekos! {
    instances_of_both_kinds_share_a_service
    instances_of_both_kinds_share_a_service_on_namekos_wire
    a_service_moves_to_rust_and_back_under_load
    a_queue_that_a_crashed_instance_left_swallows_no_calls
}

#[derive(Dependencies)]
struct Moving;

#[service(name = "nameko_moving")]
impl Moving {
    /// Gives the value back, and tells which kind of instance this is, as the Python service does.
    #[rpc]
    fn who(&self, value: String) -> (String, String) {
        (value, "rust".into())
    }
}

#[derive(Dependencies)]
struct Spread;

#[service(name = "nameko_spread", wire = "nameko")]
impl Spread {
    #[rpc]
    fn who(&self, value: String) -> (String, String) {
        (value, "rust".into())
    }
}

type Who = Call<(String, String), Infallible>;

/// How the callers call: the service's name, and its typed client.
#[derive(Clone, Copy)]
struct Target {
    service: &'static str,
    typed: fn(&Client, String) -> Who,
}

const MOVING: Target =
    Target { service: "nameko_moving", typed: |client, value| client.service::<MovingClient>().who(value) };
const SPREAD: Target =
    Target { service: "nameko_spread", typed: |client, value| client.service::<SpreadClient>().who(value) };

/// How many calls each kind of instance answered.
type Answered = BTreeMap<String, usize>;

/// A kinoko program with several calls on their way at once, half of them typed.
struct KinokoLoad {
    client: Client,
    stop: Arc<AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<Vec<String>>>,
    answered: Arc<Mutex<Answered>>,
}

const CALLERS: usize = 8;

impl KinokoLoad {
    /// Each caller makes its share of so many calls, or less if it is told to stop.
    async fn start(target: Target, calls: usize) -> Self {
        let client = Client::connect(&amqp_uri()).await.unwrap();
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Answered::new())));
        let callers = (0..CALLERS).map(|caller| {
            let (client, stop, answered) = (client.clone(), stop.clone(), answered.clone());
            tokio::spawn(async move {
                let mut failed = Vec::new();
                for call in 0..calls.div_ceil(CALLERS) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let value = format!("{caller}-{call}");
                    let sent: Who = if caller % 2 == 0 {
                        (target.typed)(&client, value.clone())
                    } else {
                        client.proxy().call(target.service, "who").arg(&value).returning()
                    };
                    match sent.await {
                        Ok((echoed, who)) if echoed == value => {
                            *answered.lock().unwrap().entry(who).or_default() += 1;
                        }
                        other => failed.push(format!("{value}: {other:?}")),
                    }
                }
                failed
            })
        });
        let callers = callers.collect();
        Self { client, stop, callers, answered }
    }

    fn answered(&self, who: &str) -> usize {
        self.answered.lock().unwrap().get(who).copied().unwrap_or_default()
    }

    /// Waits until its callers had so many more answers from this kind of instance. Returns how long that took.
    async fn until_answered(&self, who: &str, more: usize, limit: Duration) -> Duration {
        let (began, wanted) = (Instant::now(), self.answered(who) + more);
        let answered = || async { (self.answered(who) >= wanted).then_some(()) };
        eventually(limit, &format!("{more} answers from {who}"), answered).await;
        began.elapsed()
    }

    /// Waits until one kind of instance answers alone. Returns how long that took.
    async fn until_only(&self, who: &str, other: &str, limit: Duration) -> Duration {
        let began = Instant::now();
        let mut seen = (self.answered(who), self.answered(other));
        eventually(limit, &format!("all answers from {who}"), || {
            if self.answered(other) != seen.1 {
                seen = (self.answered(who), self.answered(other));
            }
            let alone = self.answered(who) >= seen.0 + 200;
            async move { alone.then_some(()) }
        })
        .await;
        began.elapsed()
    }

    /// Waits for the callers. Not one call may have failed.
    async fn finish(self, stop: bool) -> Answered {
        self.stop.fetch_or(stop, Ordering::Relaxed);
        let mut failed = Vec::new();
        for caller in self.callers {
            failed.extend(caller.await.unwrap());
        }
        self.client.close().await;
        let answered = self.answered.lock().unwrap().clone();
        assert!(failed.is_empty(), "{} of kinoko's calls failed, {answered:?}: {:?}", failed.len(), failed.first());
        answered
    }
}

/// Waits for a Python program of callers. Not one call may have failed.
async fn finish(load: PythonLoad, stop: bool) -> Answered {
    let told = tokio::task::spawn_blocking(move || load.finish(stop)).await.unwrap();
    assert_eq!(told["failed"], serde_json::json!([]), "Python's calls failed");
    serde_json::from_value(told["answered"].clone()).unwrap()
}

async fn serve(python: &Python, service: &'static str) -> PythonService {
    let python = python.clone();
    tokio::task::spawn_blocking(move || python.serve(service)).await.unwrap()
}

/// As after SIGTERM: Nameko finishes what it began.
async fn stop(service: PythonService) {
    tokio::task::spawn_blocking(|| drop(service)).await.unwrap();
}

#[allow(clippy::print_stdout, reason = "the proof prints its counts")]
async fn share(python: Python, target: Target, app: App) -> (Answered, Answered) {
    let calls = proof_calls(400);
    let old = serve(&python, target.service).await;
    let app = app.broker(amqp_uri()).start().await.unwrap();
    let began = Instant::now();
    let theirs = [(); 2].map(|()| python.load(target.service, "who", Some(calls / 2)));
    let ours = KinokoLoad::start(target, calls).await.finish(false).await;
    let mut from_python = Answered::new();
    for load in theirs {
        for (who, count) in finish(load, false).await {
            *from_python.entry(who).or_default() += count;
        }
    }
    println!("{calls} calls each in {:?}: Python's answered by {from_python:?}, kinoko's by {ours:?}", began.elapsed());
    assert!(ours.values().sum::<usize>() >= calls && from_python.values().sum::<usize>() >= calls);
    assert_eq!(from_python.len(), 2, "instances of both kinds answer Python");
    stop(old).await;
    app.stop().await.unwrap();
    (from_python, ours)
}

async fn instances_of_both_kinds_share_a_service(python: Python) {
    let (_, ours) = share(python, MOVING, App::new().service::<Moving>()).await;
    assert_eq!(ours.keys().collect::<Vec<_>>(), ["rust"], "kinoko's callers reach kinoko's instances");
}

async fn instances_of_both_kinds_share_a_service_on_namekos_wire(python: Python) {
    let (_, ours) = share(python, SPREAD, App::new().service::<Spread>()).await;
    assert_eq!(ours.keys().collect::<Vec<_>>(), ["python", "rust"], "instances of both kinds answer kinoko's callers");
}

#[allow(clippy::print_stdout, reason = "the proof prints its times")]
async fn a_service_moves_to_rust_and_back_under_load(python: Python) {
    // What is promised, on a machine that is busy with something else; it is a second at most.
    const SOON: Duration = Duration::from_secs(30);
    let many = proof_calls(400) / 4;
    let began = Instant::now();
    let mut told = Vec::new();
    let mut tell = |what: &str, took: Duration| told.push(format!("{what} after {took:.1?}"));

    // Python alone. Everybody who calls now has learnt Nameko's path.
    let old = serve(&python, MOVING.service).await;
    let first = KinokoLoad::start(MOVING, usize::MAX).await;
    let theirs = [(); 2].map(|()| python.load(MOVING.service, "who", None));
    first.until_answered("python", many, Duration::from_secs(60)).await;

    // Rust beside it. Who begins to call now takes the short path.
    let rust = App::new().broker(amqp_uri()).service::<Moving>().start().await.unwrap();
    tell("Rust answered who had called Python", first.until_answered("rust", 10, SOON).await);
    let second = KinokoLoad::start(MOVING, usize::MAX).await;
    second.until_answered("rust", many, Duration::from_secs(60)).await;
    assert_eq!(second.answered("python"), 0, "kinoko's callers reach kinoko's instances");
    if proves() {
        // The promise is 30 seconds, and the calls that it takes to see it.
        let took = first.until_only("rust", "python", Duration::from_secs(35)).await;
        tell("they took the short path", took);
    }

    // Rust alone.
    stop(old).await;
    let alone = first.until_only("rust", "python", SOON).await;
    tell("Rust answered alone when Python had stopped", alone);
    first.until_answered("rust", many, Duration::from_secs(60)).await;

    // And back.
    let old = serve(&python, MOVING.service).await;
    rust.stop().await.unwrap();
    for load in [&first, &second] {
        tell("Python answered alone when Rust had stopped", load.until_only("python", "rust", SOON).await);
    }
    let theirs = [finish_load(theirs).await, first.finish(true).await, second.finish(true).await];
    println!(
        "{:?}, none lost: Python's and kinoko's callers were answered by {theirs:?}; {}",
        began.elapsed(),
        told.join(", ")
    );
    assert_eq!(theirs[0].len(), 2, "both kinds answered Python");
    stop(old).await;
}

async fn finish_load(loads: [PythonLoad; 2]) -> Answered {
    let mut answered = Answered::new();
    for load in loads {
        for (who, count) in finish(load, true).await {
            *answered.entry(who).or_default() += count;
        }
    }
    answered
}

async fn a_queue_that_a_crashed_instance_left_swallows_no_calls(python: Python) {
    let service = "nameko_left";
    let raw = Raw::connect(&amqp_uri()).await;
    raw.declare_queue(&format!("kinoko.rpc-{service}"), &[]).await;
    let old = serve(&python, service).await;
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let calls = (0..20).map(|call| client.proxy().call(service, "who").arg(call).timeout(Duration::from_secs(5)));
    for (call, answer) in futures_util::future::join_all(calls.map(IntoFuture::into_future)).await.iter().enumerate() {
        assert_eq!(answer.as_ref().unwrap(), &serde_json::json!([call, "python"]));
    }
    client.close().await;
    raw.delete_queue(&format!("kinoko.rpc-{service}")).await;
    stop(old).await;
}
