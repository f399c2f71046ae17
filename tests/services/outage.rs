//! Proof `outage`: RabbitMQ killed and restarted under load. Every call ends by its deadline, the service resumes by itself.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kinoko::{CallError, prelude::*, transport::ConnectionState};
use kinoko_tests::{PrivateBroker, eventually};

use crate::proof_calls;

#[derive(Dependencies)]
struct Outage;

#[service(name = "outage")]
impl Outage {
    #[rpc]
    async fn echo(&self, id: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(id % 20)).await;
        id
    }
}

/// Late by more than this is late.
const TOLERANCE: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a rabbitmq-server program: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
#[allow(clippy::print_stdout, reason = "the proof prints its counts")]
async fn every_call_ends_by_its_deadline_while_the_broker_is_killed() {
    const TASKS: usize = 32;
    const TIMEOUT: Duration = Duration::from_secs(3);
    // One kill takes 5 to 10 s of boot; the proof in full makes five of them.
    let kills = if proof_calls(0) > 0 { 5 } else { 1 };
    let mut broker = tokio::task::spawn_blocking(PrivateBroker::start_new).await.unwrap();
    let server = App::new().broker(broker.uri()).service::<Outage>().start().await.unwrap();
    let client = kinoko::Client::connect(&broker.uri()).await.unwrap();
    let echo = client.service::<OutageClient>();

    let running = Arc::new(AtomicBool::new(true));
    let ended: Arc<Mutex<BTreeMap<&'static str, usize>>> = Arc::default();
    let [late, answered] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..TASKS as u64)
        .map(|task| {
            let (echo, running, ended) = (echo.clone(), running.clone(), ended.clone());
            let (late, answered) = (late.clone(), answered.clone());
            tokio::spawn(async move {
                for call in 0.. {
                    if !running.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = call * TASKS as u64 + task;
                    let started = Instant::now();
                    let result = echo.echo(id).timeout(TIMEOUT).await;
                    if started.elapsed() > TIMEOUT + TOLERANCE {
                        late.fetch_add(1, Ordering::Relaxed);
                    }
                    let kind = match result {
                        Ok(reply) => {
                            assert_eq!(reply, id, "a reply of another call");
                            answered.fetch_add(1, Ordering::Relaxed);
                            "answered"
                        }
                        Err(CallError::Timeout(_)) => "timed out",
                        Err(CallError::Unavailable(_)) => "not sent",
                        Err(CallError::ReplyChannelLost) => "reply channel lost",
                        // It waited through the outage, and too little was left.
                        Err(CallError::Remote(fault)) if fault.code.as_deref() == Some("BUSY") => "not begun",
                        Err(other) => panic!("{other:?}"),
                    };
                    *ended.lock().unwrap().entry(kind).or_default() += 1;
                }
            })
        })
        .collect();

    let mut resumed = Vec::new();
    for _ in 0..kills {
        some_more(&answered, 200).await;
        broker = tokio::task::spawn_blocking(move || {
            broker.kill9();
            broker.start();
            broker
        })
        .await
        .unwrap();
        let up = Instant::now();
        some_more(&answered, 200).await;
        resumed.push(up.elapsed());
    }
    running.store(false, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    println!(
        "{kills} kills under {TASKS} callers: {:?}; {} late by more than {TOLERANCE:?}; \
         200 calls answered again after the node was back: {resumed:?}; pending at the end: {}",
        ended.lock().unwrap(),
        late.load(Ordering::Relaxed),
        client.pending_calls()
    );
    assert_eq!((late.load(Ordering::Relaxed), client.pending_calls()), (0, 0));
    eventually(Duration::from_secs(10), "no worker is left", || async {
        (server.running_workers() == 0).then_some(())
    })
    .await;
    client.close().await;
    server.stop().await.unwrap();
}

/// Waits until this many more calls were answered.
async fn some_more(answered: &AtomicUsize, more: usize) {
    let goal = answered.load(Ordering::Relaxed) + more;
    eventually(Duration::from_secs(60), "calls are answered", || async {
        (answered.load(Ordering::Relaxed) >= goal).then_some(())
    })
    .await;
}

#[derive(Dependencies)]
struct Late;

#[service(name = "outage_late")]
impl Late {
    #[rpc]
    fn hello(&self) -> u32 {
        1
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a rabbitmq-server program: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn a_service_that_starts_before_its_broker_waits_for_it() {
    let mut broker = PrivateBroker::stopped();
    let uri = broker.uri();
    let client = kinoko::Client::connect(&uri).await.unwrap();
    let late = client.service::<LateClient>();
    let started = Instant::now();
    match late.hello().timeout(Duration::from_millis(300)).await {
        Err(error @ CallError::Unavailable(_)) => {
            assert!(!error.may_have_run());
            assert!(error.to_string().starts_with("not sent: the broker at amqp://guest@127.0.0.1:"), "{error}");
            assert!(started.elapsed() < Duration::from_millis(550));
        }
        other => panic!("{other:?}"),
    }
    let starting = tokio::spawn(App::new().broker(uri).service::<Late>().start());
    broker = tokio::task::spawn_blocking(move || {
        broker.start();
        broker
    })
    .await
    .unwrap();
    let app = starting.await.unwrap().unwrap();
    assert_eq!(app.broker_state(), ConnectionState::Connected);
    assert_eq!(late.hello().await.unwrap(), 1);
    client.close().await;
    app.stop().await.unwrap();
    drop(broker);
}
