//! Instances of a service are stopped and killed under load, one after the other.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use kinoko::{CallError, Client};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    instance::{Begun, Instance, Ledger},
    node::Node,
    report,
};

/// In every run, and in the proof.
struct Size {
    rounds: usize,
    per_second: u64,
}

impl Size {
    fn get(reduced: usize) -> Self {
        match std::env::var("KINOKO_TEST_PROOF_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()) {
            Some(rounds) => Self { rounds, per_second: 2000 },
            None => Self { rounds: reduced, per_second: 200 },
        }
    }
}

/// Calls at a steady rate, whether the earlier ones are answered or not.
struct Offered {
    running: Arc<AtomicBool>,
    offering: tokio::task::JoinHandle<JoinSet<()>>,
    ended: Arc<Mutex<Ended>>,
}

#[derive(Default)]
struct Ended {
    answered: usize,
    errors: BTreeMap<String, usize>,
    slowest: Duration,
}

impl Offered {
    fn start(client: &Client, per_second: u64, deadline: Duration) -> Self {
        const TICK: Duration = Duration::from_millis(10);
        let (running, ended) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<Ended>>::default());
        let offering = tokio::spawn({
            let (proxy, running, ended) = (client.proxy(), running.clone(), ended.clone());
            async move {
                let mut calls = JoinSet::new();
                let mut tick = interval(TICK);
                // A busy machine must not lower the rate.
                tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let mut id = 0;
                while running.load(Ordering::Relaxed) {
                    tick.tick().await;
                    for _ in 0..per_second * TICK.as_millis() as u64 / 1000 {
                        id += 1;
                        let call = proxy.call("faults_instance", "work").arg(id).arg(id % 10).timeout(deadline);
                        let ended = ended.clone();
                        calls.spawn(async move {
                            let began = Instant::now();
                            let result: Result<u64, CallError<std::convert::Infallible>> = call.returning().await;
                            let mut ended = ended.lock().unwrap();
                            ended.slowest = ended.slowest.max(began.elapsed());
                            match result {
                                Ok(reply) => {
                                    assert_eq!(reply, id);
                                    ended.answered += 1;
                                }
                                Err(error) => *ended.errors.entry(error.to_string()).or_default() += 1,
                            }
                        });
                    }
                    while calls.try_join_next().is_some() {}
                }
                calls
            }
        });
        Self { running, offering, ended }
    }

    async fn stop(self) -> Ended {
        self.running.store(false, Ordering::Relaxed);
        let mut calls = self.offering.await.unwrap();
        while let Some(call) = calls.join_next().await {
            call.unwrap();
        }
        std::mem::take(&mut *self.ended.lock().unwrap())
    }
}

impl Ended {
    fn failed(&self) -> usize {
        self.errors.values().sum()
    }
}

/// Two instances; each round stops one of them with a signal and starts another in its place.
async fn roll(signal: &str, deadline: Duration, reduced: usize) -> (Size, Ended, Vec<Begun>) {
    let node = Node::get().await;
    let size = Size::get(reduced);
    let ledger = Ledger::new();
    let uri = node.uri();
    let mut instances = [Instance::start(&uri, &ledger).await, Instance::start(&uri, &ledger).await];
    let client = Client::connect(&uri).await.unwrap();
    let offered = Offered::start(&client, size.per_second, deadline);
    for round in 0..size.rounds {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let instance = &mut instances[round % 2];
        instance.signal(signal);
        let status = instance.ended().await;
        assert_eq!(status.success(), signal == "TERM", "{status}: {}", instance.log());
        *instance = Instance::start(&uri, &ledger).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ended = offered.stop().await;
    assert_eq!(client.pending_calls(), 0);
    client.close().await;
    for instance in &mut instances {
        instance.signal("TERM");
        assert!(instance.ended().await.success(), "{}", instance.log());
    }
    (size, ended, ledger.read().into_values().collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn instances_stopped_one_by_one_answer_each_call_once() {
    let (size, ended, begun) = roll("TERM", Duration::from_secs(20), 4).await;
    let repeated = begun.iter().filter(|call| call.times > 1).count();
    let handed_back = begun.iter().filter(|call| call.times == 1 && call.redelivered).count();
    report(
        "instances stopped with SIGTERM, one after the other",
        &format!(
            "{} rounds at {} calls/s: {} answered, {} failed, {handed_back} handed back unstarted and begun elsewhere, \
             {repeated} begun twice, the slowest took {:.1?}",
            size.rounds,
            size.per_second,
            ended.answered,
            ended.failed(),
            ended.slowest
        ),
    );
    assert!(ended.errors.is_empty(), "{:?}", ended.errors);
    assert_eq!((repeated, begun.len()), (0, ended.answered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn calls_of_an_instance_that_is_killed_run_elsewhere() {
    let (size, ended, begun) = roll("KILL", Duration::from_secs(10), 4).await;
    let repeated = begun.iter().filter(|call| call.times > 1).count();
    report(
        "instances killed with -9, one after the other",
        &format!(
            "{} rounds at {} calls/s: {} answered, {} failed, {repeated} begun twice, the slowest took {:.1?}",
            size.rounds,
            size.per_second,
            ended.answered,
            ended.failed(),
            ended.slowest
        ),
    );
    assert!(ended.errors.is_empty(), "{:?}", ended.errors);
    assert_eq!(begun.len(), ended.answered);
}
