//! Instances of both kinds under one service's name, on the same queues of events.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kinoko::{
    EventDispatcher, Retry,
    event::RawDelivery,
    prelude::*,
    transport::{TransportOptions, connect},
};
use kinoko_tests::{Python, PythonService, amqp_uri};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::interval};

use super::{
    instance::{Instance, Test, clean},
    with_both_namekos,
};

with_both_namekos! {
    a_queue_of_pythons_is_adopted_and_shared
    python_joins_a_queue_on_namekos_wire
    python_cannot_join_a_quorum_queue
    a_service_moves_to_rust_and_back_and_no_event_is_lost
    python_handles_what_failed_in_rust
    what_python_hands_back_is_handled_by_either
    what_python_always_hands_back_is_handled_by_rust
}

const SOURCE: &str = "nameko_shared_source";

const QUEUES: [&str; 4] = [
    "evt-nameko_shared_source-made--nameko_shared.made",
    "evt-nameko_shared_source-made--nameko_shared_wire.made",
    "evt-nameko_shared_source-refused--nameko_shared.refused",
    "evt-nameko_shared_source-refused--nameko_shared_wire.refused",
];

#[derive(Dependencies)]
struct Shared {
    test: Test,
}

#[service(name = "nameko_shared")]
impl Shared {
    #[event_handler("nameko_shared_source", "made")]
    fn made(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }
}

#[derive(Dependencies)]
struct OnNamekosWire {
    test: Test,
}

#[service(name = "nameko_shared_wire", wire = "nameko")]
impl OnNamekosWire {
    #[event_handler("nameko_shared_source", "made")]
    fn made(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }

    #[event_handler("nameko_shared_source", "refused", retry(max = 1000, backoff = "300ms"))]
    fn refused(&self, event: &RawDelivery, #[inject] cx: WorkerContext) -> Result<(), Retry> {
        self.test.got(&cx, event);
        Err(Retry::because("only Python can"))
    }
}

fn handlers() -> Value {
    json!([{"method": "made", "event": [SOURCE, "made"]}, {"method": "refused", "event": [SOURCE, "refused"]}])
}

fn number(told: &Value) -> i64 {
    told["payload"].as_str().unwrap().parse().unwrap()
}

/// Has both handle so many events, and checks that each event was handled once.
async fn share(mut ours: Instance, mut theirs: PythonService) {
    const COUNT: i64 = 200;
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    let numbers: Vec<_> = (0..COUNT).collect();
    for number in &numbers {
        assert!(events.dispatch_to(SOURCE, "made", number).await.unwrap().routed);
    }
    events.close().await;
    let (mut by_rust, mut by_python) = (Vec::new(), Vec::new());
    for _ in &numbers {
        tokio::select! {
            told = ours.next() => by_rust.push(told.payload.as_i64().unwrap()),
            told = theirs.next() => by_python.push(number(&told)),
        }
    }
    by_rust.extend(ours.stop().await.iter().map(|told| told.payload.as_i64().unwrap()));
    by_python.extend(theirs.stop().await.iter().map(number));
    assert!(!by_rust.is_empty() && !by_python.is_empty(), "both handle some: {by_rust:?}, {by_python:?}");
    let mut all = [by_rust, by_python].concat();
    all.sort_unstable();
    assert_eq!(all, numbers, "each once");
}

async fn a_queue_of_pythons_is_adopted_and_shared(python: Python) {
    clean(&QUEUES, &[SOURCE]).await;
    let theirs = python.handle("nameko_shared", handlers()).await;
    share(Instance::of::<Shared>().await, theirs).await;
    clean(&QUEUES, &[SOURCE]).await;
}

async fn python_joins_a_queue_on_namekos_wire(python: Python) {
    clean(&QUEUES, &[SOURCE]).await;
    let ours = Instance::of::<OnNamekosWire>().await;
    share(ours, python.handle("nameko_shared_wire", handlers()).await).await;
    clean(&QUEUES, &[SOURCE]).await;
}

/// Why a service that moves needs `wire = "nameko"`, where Python instances may still start.
async fn python_cannot_join_a_quorum_queue(python: Python) {
    clean(&QUEUES, &[SOURCE]).await;
    let mut ours = Instance::of::<Shared>().await;
    python.fail_to_handle("nameko_shared", handlers(), "PRECONDITION_FAILED").await;
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    events.dispatch_to(SOURCE, "made", &7).await.unwrap();
    assert_eq!(ours.next().await.payload, 7, "ours is not harmed");
    events.close().await;
    ours.stop().await;
    clean(&QUEUES, &[SOURCE]).await;
}

/// Dispatches numbers, about two hundred a second, until it is told to stop. Each is confirmed.
struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<i64>,
}

impl Load {
    async fn start() -> Self {
        let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let task = tokio::spawn(async move {
            let mut count = 0;
            // What services in Python follow.
            let mut pace = interval(Duration::from_millis(5));
            while !stopping.load(Ordering::Relaxed) {
                pace.tick().await;
                assert!(events.dispatch_to(SOURCE, "made", &count).await.unwrap().routed);
                count += 1;
            }
            events.close().await;
            count
        });
        Self { stop, task }
    }

    /// How many there were.
    async fn finish(self) -> i64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

#[allow(clippy::print_stdout, reason = "tells what a loss would be measured against")]
async fn a_service_moves_to_rust_and_back_and_no_event_is_lost(python: Python) {
    const SERVICE: &str = "nameko_shared_wire";
    const MANY: usize = 100;
    clean(&QUEUES, &[SOURCE]).await;
    let mut seen = BTreeMap::<i64, usize>::new();
    let mut see = |number| *seen.entry(number).or_default() += 1;

    // Python alone.
    let mut theirs = python.handle(SERVICE, handlers()).await;
    let load = Load::start().await;
    for _ in 0..MANY {
        see(number(&theirs.next().await));
    }
    // Rust beside it, then alone.
    let mut ours = Instance::of::<OnNamekosWire>().await;
    ours.take(MANY).await.iter().for_each(|told| see(told.payload.as_i64().unwrap()));
    theirs.stop().await.iter().for_each(|told| see(number(told)));
    ours.take(2 * MANY).await.iter().for_each(|told| see(told.payload.as_i64().unwrap()));
    // And back.
    let mut theirs = python.handle(SERVICE, handlers()).await;
    for _ in 0..MANY {
        see(number(&theirs.next().await));
    }
    ours.stop().await.iter().for_each(|told| see(told.payload.as_i64().unwrap()));
    for _ in 0..MANY {
        see(number(&theirs.next().await));
    }

    let count = load.finish().await;
    while (seen.len() as i64) < count {
        let number = number(&theirs.next().await);
        *seen.entry(number).or_default() += 1;
    }
    theirs.stop().await.iter().for_each(|told| *seen.entry(number(told)).or_default() += 1);
    assert!(seen.keys().copied().eq(0..count), "all of {count}, and no others");
    let twice = seen.values().filter(|times| **times > 1).count();
    println!("{count} events, none lost, {twice} handled twice");
    clean(&QUEUES, &[SOURCE]).await;
}

async fn python_handles_what_failed_in_rust(python: Python) {
    clean(&QUEUES, &[SOURCE]).await;
    let mut ours = Instance::of::<OnNamekosWire>().await;
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    events.dispatch_to(SOURCE, "refused", &7).context("language", "de").await.unwrap();
    // It comes back past the exchange, and shows its type all the same.
    for attempt in 1..=2 {
        let told = ours.next().await;
        assert_eq!((told.payload, &*told.routing_key, told.attempt), (json!(7), "refused", attempt));
    }
    let mut theirs = python.handle("nameko_shared_wire", handlers()).await;
    ours.stop().await;
    let told = theirs.next().await;
    assert_eq!((&told["method"], &told["payload"]), (&json!("refused"), &json!("7")));
    let context = &told["context"];
    assert_eq!(context["language"], "de");
    // Nameko makes context data of every header, of ours too.
    assert!(context["kinoko.attempt"].as_i64().unwrap() > 2, "{context}");
    assert_eq!(
        (&context["kinoko.exchange"], &context["kinoko.routing_key"]),
        (&json!("nameko_shared_source.events"), &json!("refused"))
    );
    assert!(theirs.stop().await.is_empty());
    events.close().await;
    clean(&QUEUES, &[SOURCE]).await;
}

async fn what_python_hands_back_is_handled_by_either(python: Python) {
    const COUNT: i64 = 30;
    const FAILURES: usize = 10;
    clean(&QUEUES, &[SOURCE]).await;
    let handlers = json!([{"method": "made", "event": [SOURCE, "made"], "requeue_on_error": true, "fail": FAILURES}]);
    let mut theirs = python.handle("nameko_shared_wire", handlers).await;
    let mut ours = Instance::of::<OnNamekosWire>().await;
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    for number in 0..COUNT {
        events.dispatch_to(SOURCE, "made", &number).await.unwrap();
    }
    // Its first ones fail.
    for _ in 0..FAILURES {
        theirs.next().await;
    }
    let mut handled = Vec::new();
    for _ in 0..COUNT {
        tokio::select! {
            told = ours.next() => handled.push(told.payload.as_i64().unwrap()),
            told = theirs.next() => handled.push(number(&told)),
        }
    }
    handled.sort_unstable();
    assert!(handled.into_iter().eq(0..COUNT), "each once");
    assert!(ours.stop().await.is_empty() && theirs.stop().await.is_empty());
    events.close().await;
    clean(&QUEUES, &[SOURCE]).await;
}

/// More of them than of ours, so that what is to be tried again comes to them again and again before it comes to us.
async fn what_python_always_hands_back_is_handled_by_rust(python: Python) {
    const COUNT: i64 = 100;
    const PYTHONS: usize = 3;
    let dead = format!("kinoko.dead-{}", QUEUES[1]);
    clean(&QUEUES, &[SOURCE]).await;
    let handlers =
        json!([{"method": "made", "event": [SOURCE, "made"], "requeue_on_error": true, "fail": 1_000_000_000}]);
    let mut theirs = Vec::new();
    for _ in 0..PYTHONS {
        theirs.push(python.handle("nameko_shared_wire", handlers.clone()).await);
    }
    let mut ours = Instance::of::<OnNamekosWire>().await;
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    for number in 0..COUNT {
        events.dispatch_to(SOURCE, "made", &number).await.unwrap();
    }
    let handled = ours.take(COUNT as usize).await;
    let mut handled: Vec<_> = handled.into_iter().map(|told| told.payload.as_i64().unwrap()).collect();
    handled.sort_unstable();
    assert!(handled.into_iter().eq(0..COUNT), "each once");
    assert!(ours.stop().await.is_empty());
    let transport = connect(&amqp_uri(), TransportOptions::default()).await.unwrap();
    assert_eq!(transport.queue_status(&dead.into()).await.unwrap(), None, "none is a dead letter");
    transport.close().await;
    for theirs in theirs {
        theirs.stop().await;
    }
    events.close().await;
    clean(&QUEUES, &[SOURCE]).await;
}
