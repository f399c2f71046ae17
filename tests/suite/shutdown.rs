//! Stopping: what runs finishes, what has not started goes back, nothing is lost.

use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kinoko::{
    AuthToken, Client, RunningApp, Settings,
    prelude::*,
    protocol::Name,
    transport::{Queue, Topology, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, unique};
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

/// Tells when the last service that has it is gone.
#[derive(Clone)]
struct Token(Arc<()>);

thread_local! {
    static TOKEN: Arc<()> = Arc::new(());
}

impl Dependency for Token {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self(TOKEN.with(Clone::clone)))
    }
}

/// Calls itself: its client holds the transport that holds the service.
#[derive(Dependencies)]
struct Circle {
    token: Token,
    circle: CircleClient,
}

#[service(name = "shutdown_circle")]
impl Circle {
    #[rpc]
    async fn count(&self, left: u32) -> kinoko::Result<usize> {
        match left.checked_sub(1) {
            Some(left) => Ok(self.circle.count(left).await?),
            None => Ok(Arc::strong_count(&self.token.0)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_service_leaves_nothing_behind() {
    let app = App::new().service::<Circle>().start().await.unwrap();
    app.client::<CircleClient>().count(3).await.unwrap();
    app.stop().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(TOKEN.with(Arc::strong_count), 1, "the service and its dependencies are dropped");
}

#[tokio::test(start_paused = true)]
async fn services_end_when_the_app_is_dropped() {
    let broker = format!("memory://{}", unique("shutdown"));
    let client = Client::connect(&broker).await.unwrap();
    let app = App::new().broker(&*broker).service::<Circle>().start().await.unwrap();
    let circle = client.service::<CircleClient>();
    circle.count(3).await.unwrap();
    drop(app);
    let error = circle.count(0).timeout(Duration::from_secs(3)).await.unwrap_err();
    assert!(error.to_string().ends_with("no instance of `shutdown_circle` is running"), "{error}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(TOKEN.with(Arc::strong_count), 1);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_expires_when_it_would_have() {
    let broker = format!("memory://{}", unique("shutdown"));
    let client = Client::connect(&broker).await.unwrap();
    let (first, _) = instance(&broker, "grace_period: 3s").await;
    let worker = client.service::<WorkerClient>();
    let late = tokio::spawn(worker.work().timeout(Duration::from_secs(5)).into_future());
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.stop().await.unwrap_err();
    late.await.unwrap().unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (second, second_state) = instance(&broker, "").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(second_state.started.load(Ordering::SeqCst), 0, "nobody waits for it any more");
    second.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Leaver;

#[service(name = "shutdown_leaver")]
impl Leaver {
    #[rpc]
    async fn work(
        &self,
        number: u32,
        #[inject] cx: WorkerContext,
        #[inject] token: Option<AuthToken>,
    ) -> (u32, Option<String>, Option<String>) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        (number, cx.immediate_parent_call_id(), token.map(|AuthToken(token)| token))
    }
}

/// The same with Python in the place of the second instance: `tests/services/nameko/migration.rs`.
#[tokio::test(start_paused = true)]
async fn the_last_instance_on_the_short_path_hands_over_to_those_on_namekos() {
    let broker = format!("memory://{}", unique("leaving"));
    let start = async |settings: &str| {
        let app = App::new().settings(Settings::from_yaml(settings).unwrap()).broker(&*broker).service::<Leaver>();
        app.start().await.unwrap()
    };
    let [first, second] = [start("max_workers: 1").await, start("max_workers: 1").await];
    let other = start("wire: nameko").await;
    let transport = connect(&broker, TransportOptions::default()).await.unwrap();
    let short = async || transport.queue_status(&"kinoko.rpc-shutdown_leaver".into()).await.unwrap();
    let client = Client::connect(&broker).await.unwrap();
    let leaver = client.service::<LeaverClient>();
    let mut calls = Vec::new();
    for number in 0..40 {
        calls.push(leaver.work(number).auth_token("of ada").send().await.unwrap());
    }
    first.stop().await.unwrap();
    assert!(short().await.is_some(), "somebody is left on the short path");
    second.stop().await.unwrap();
    assert!(short().await.is_none(), "nobody is");
    calls.push(leaver.work(40).auth_token("of ada").send().await.unwrap());
    for (number, call) in (0..).zip(calls) {
        let (answered, parent, token) = call.await.unwrap();
        assert_eq!((answered, token.as_deref()), (number, Some("of ada")));
        assert!(parent.unwrap().starts_with("standalone_rpc_client."));
    }
    // And where nobody is left at all, everything stays for the next one.
    let last = start("{}").await;
    other.stop().await.unwrap();
    last.stop().await.unwrap();
    assert!(short().await.is_some());
    client.close().await;
    transport.close().await;
}

/// A broker goes on for a moment to route to a queue that is being removed, and what it routes there is gone with the queue.
#[tokio::test(start_paused = true)]
async fn what_went_with_the_queue_of_the_short_path_is_sent_again() {
    let broker = format!("memory://{}", unique("gone"));
    let app = App::new().settings(Settings::from_yaml("wire: nameko").unwrap()).broker(&*broker).service::<Leaver>();
    let app = app.start().await.unwrap();
    // In the place of the instance that leaves: it takes a request, and nobody ever hears of it.
    let transport = connect(&broker, TransportOptions::default()).await.unwrap();
    let queue = Name::from("kinoko.rpc-shutdown_leaver");
    let topology = Topology { queues: vec![Queue::durable(queue.clone())], ..Topology::default() };
    transport.declare(topology).await.unwrap();
    let (sink, taken) = Deliveries::new();
    let consumer = transport.consume(queue.clone(), 10, sink).await.unwrap();
    let client = Client::connect(&broker).await.unwrap();
    let call = client.service::<LeaverClient>().work(7).send().await.unwrap();
    taken.next().await.ack();
    consumer.cancel().await;
    assert!(transport.remove_queue(&queue).await.unwrap());
    let began = tokio::time::Instant::now();
    assert_eq!(call.await.unwrap().0, 7);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    client.close().await;
    transport.close().await;
    app.stop().await.unwrap();
}
