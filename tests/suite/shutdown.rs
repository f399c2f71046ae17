//! Stopping: what runs finishes, what has not started goes back, nothing is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kinoko::{Client, RunningApp, prelude::*};
use kinoko_tests::unique;
use tokio::sync::Semaphore;

/// Which instance answers, and when it may.
#[derive(Clone)]
struct Instance(Arc<State>);

struct State {
    number: usize,
    started: AtomicUsize,
    gate: Semaphore,
}

// Each test runs on a thread of its own: instances are numbered per test.
thread_local! {
    static INSTANCES: std::cell::RefCell<Vec<Instance>> = const { std::cell::RefCell::new(Vec::new()) };
}

impl Dependency for Instance {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(INSTANCES.with_borrow_mut(|instances| {
            let state = State { number: instances.len(), started: AtomicUsize::new(0), gate: Semaphore::new(0) };
            let instance = Self(Arc::new(state));
            instances.push(instance.clone());
            instance
        }))
    }
}

#[derive(Dependencies)]
struct Worker {
    instance: Instance,
}

#[service(name = "shutdown_worker", max_workers = 3)]
impl Worker {
    #[rpc]
    async fn work(&self) -> usize {
        let state = &self.instance.0;
        state.started.fetch_add(1, Ordering::SeqCst);
        state.gate.acquire().await.unwrap().forget();
        state.number
    }
}

async fn instance(broker: &str, yaml: &str) -> (RunningApp, Arc<State>) {
    let settings = kinoko::Settings::from_yaml(yaml).unwrap();
    let app = App::new().settings(settings).broker(broker).service::<Worker>().start().await.unwrap();
    let state = INSTANCES.with_borrow(|instances| instances.last().unwrap().0.clone());
    (app, state)
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_runs_and_hands_the_rest_to_another_instance() {
    let broker = format!("memory://{}", unique("shutdown"));
    let client = Client::connect(&broker).await.unwrap();
    let (first, first_state) = instance(&broker, "").await;
    let worker = client.service::<WorkerClient>();
    let mut pending = Vec::new();
    for _ in 0..20 {
        pending.push(worker.work().send().await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(first_state.started.load(Ordering::SeqCst), 3);

    let stopping = tokio::spawn(first.stop());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (second, second_state) = instance(&broker, "").await;
    second_state.gate.add_permits(100);
    first_state.gate.add_permits(100);
    let mut by = [0, 0];
    for reply in pending {
        by[reply.await.unwrap()] += 1;
    }
    assert_eq!(by, [3, 17], "each answered exactly once");
    stopping.await.unwrap().unwrap();
    assert_eq!(first_state.started.load(Ordering::SeqCst), 3, "nothing started after the stop");
    second.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_outlives_the_grace_period_is_dropped_and_runs_elsewhere() {
    let broker = format!("memory://{}", unique("shutdown"));
    let client = Client::connect(&broker).await.unwrap();
    let (first, _) = instance(&broker, "grace_period: 2s").await;
    let pending = client.service::<WorkerClient>().work().send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let error = first.stop().await.unwrap_err();
    assert_eq!(error.to_string(), "1 workers were dropped: they had not finished within the grace period of 2s");
    let (second, second_state) = instance(&broker, "").await;
    second_state.gate.add_permits(1);
    assert_eq!(pending.await.unwrap(), 1);
    second.stop().await.unwrap();
}
