//! A service moves from Python to Rust and back, one instance at a time, while everybody calls it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use kinoko::{Client, RunningApp, prelude::*, protocol::Value};
use kinoko_tests::{Python, PythonLoad, amqp_uri, eventually};
use serde_json::json;

use super::with_both_namekos;

with_both_namekos! {
    instances_of_both_kinds_share_a_service
    instances_of_both_kinds_share_a_service_on_namekos_wire
    a_service_moves_to_rust_and_back_under_load
}

/// What the instances answer, and who they are.
#[contract(name = "nameko_migration")]
pub(crate) trait Moving {
    async fn who(&self, value: String) -> (String, String);
}

#[derive(Dependencies)]
struct Both;

#[service(contract = Moving)]
impl Both {
    #[rpc]
    fn who(&self, value: String) -> (String, String) {
        (value, "rust".into())
    }
}

#[derive(Dependencies)]
struct Spread;

#[service(name = "nameko_migration_spread", wire = "nameko")]
impl Spread {
    #[rpc]
    fn who(&self, value: String) -> (String, String) {
        (value, "rust".into())
    }
}

/// Callers of both kinds, each with several calls on their way, until they are told to stop.
struct Load {
    python: Vec<PythonLoad>,
    client: Client,
    stop: Arc<AtomicBool>,
    kinoko: Vec<tokio::task::JoinHandle<Vec<String>>>,
    /// How many calls of kinoko's client each kind of instance answered.
    answered: Arc<Mutex<BTreeMap<String, usize>>>,
}

const KINOKO_CALLERS: usize = 8;
const PYTHON_CALLERS: usize = 2;

impl Load {
    async fn start(python: &Python, service: &'static str) -> Self {
        let client = Client::connect(&amqp_uri()).await.unwrap();
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeMap::new())));
        let kinoko = (0..KINOKO_CALLERS).map(|caller| {
            let (proxy, stop, answered) = (client.proxy(), stop.clone(), answered.clone());
            tokio::spawn(async move {
                let (mut failed, mut call) = (Vec::new(), 0);
                while !stop.load(Ordering::Relaxed) {
                    call += 1;
                    let value = format!("{caller}-{call}");
                    match proxy
                        .call(service, "who")
                        .arg(&value)
                        .returning::<(String, String), std::convert::Infallible>()
                        .await
                    {
                        Ok((echoed, who)) if echoed == value => {
                            *answered.lock().unwrap().entry(who).or_default() += 1;
                        }
                        other => failed.push(format!("{value}: {other:?}")),
                    }
                }
                failed
            })
        });
        let kinoko = kinoko.collect();
        let python = (0..PYTHON_CALLERS).map(|_| python.load(service, "who")).collect();
        Self { python, client, stop, kinoko, answered }
    }

    fn answered(&self, who: &str) -> usize {
        self.answered.lock().unwrap().get(who).copied().unwrap_or_default()
    }

    /// Waits until kinoko's callers had so many more answers from this kind of instance. Returns how long that took.
    async fn until_answered(&self, who: &str, more: usize, limit: Duration) -> Duration {
        let (began, wanted) = (Instant::now(), self.answered(who) + more);
        eventually(limit, &format!("{more} answers from {who}"), || async {
            (self.answered(who) >= wanted).then_some(())
        })
        .await;
        began.elapsed()
    }

    /// Stops all callers. Not one call may have failed. Returns the answers by caller and kind of instance.
    async fn finish(self) -> BTreeMap<(&'static str, String), usize> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failed = Vec::new();
        for caller in self.kinoko {
            failed.extend(caller.await.unwrap());
        }
        self.client.close().await;
        let mut counts: BTreeMap<_, _> =
            self.answered.lock().unwrap().iter().map(|(who, count)| (("kinoko", who.clone()), *count)).collect();
        for load in self.python {
            let told = tokio::task::spawn_blocking(|| load.finish()).await.unwrap();
            failed.extend(told["failed"].as_array().unwrap().iter().map(ToString::to_string));
            for (who, count) in told["answered"].as_object().unwrap() {
                let count = usize::try_from(count.as_u64().unwrap()).unwrap();
                *counts.entry(("python", who.clone())).or_default() += count;
            }
        }
        assert!(
            failed.is_empty(),
            "{} calls failed; answered: {counts:?}; the first: {:#?}",
            failed.len(),
            &failed[..failed.len().min(5)]
        );
        counts
    }
}

async fn a_service_moves_to_rust_and_back_under_load(python: Python) {
    const SERVICE: &str = "nameko_migration";
    let old = python.serve(SERVICE);
    let load = Load::start(&python, SERVICE).await;
    load.until_answered("python", 200, Duration::from_secs(60)).await;
    let rust = App::new().broker(amqp_uri()).service::<Both>().start().await.unwrap();
    println!("rust up");
    let t = load.until_answered("rust", 200, Duration::from_secs(60)).await;
    println!("rust noticed {t:?}");
    tokio::task::spawn_blocking(|| drop(old)).await.unwrap();
    println!("python down");
    load.until_answered("rust", 2000, Duration::from_secs(60)).await;
    let old = {
        let python = python.clone();
        tokio::task::spawn_blocking(move || python.serve(SERVICE)).await.unwrap()
    };
    println!("python up");
    let t0 = Instant::now();
    rust.stop().await.unwrap();
    println!("rust stopped {:?}", t0.elapsed());
    let t = load.until_answered("python", 200, Duration::from_secs(60)).await;
    println!("python noticed {t:?}");
    println!("{:?}", load.finish().await);
    drop(old);
}

async fn instances_of_both_kinds_share_a_service(_python: Python) {}
async fn instances_of_both_kinds_share_a_service_on_namekos_wire(_python: Python) {}
