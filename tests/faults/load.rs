//! What goes on while a fault does: calls with deadlines, and confirmed publishes to a durable queue.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kinoko::{
    CallError, ErrorKind,
    prelude::*,
    protocol::{Message, Name, Properties},
    transport::{Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, body, soon, unique};
use tokio::{task::JoinHandle, time::timeout};

/// How many calls of `echo` were begun, in the test that has the node.
pub(crate) static BEGUN: AtomicUsize = AtomicUsize::new(0);

#[derive(Dependencies)]
pub(crate) struct Echo;

#[service(name = "faults_echo")]
impl Echo {
    #[rpc]
    async fn echo(&self, id: u64, millis: u64) -> u64 {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        id
    }

    #[rpc]
    fn swallow(&self, text: String) -> usize {
        text.len()
    }

    /// Holds its thread, as it must not.
    #[rpc]
    async fn block(&self, millis: u64) {
        #[allow(clippy::disallowed_methods, reason = "the fault that is tested")]
        std::thread::sleep(Duration::from_millis(millis));
    }
}

/// Has more to do than it can, for requests that want no reply.
#[derive(Dependencies)]
pub(crate) struct Backlog;

#[service(name = "faults_backlog", max_workers = 2, wire = "nameko")]
impl Backlog {
    #[rpc]
    async fn step(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How the calls of a load have ended.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) by_kind: Mutex<BTreeMap<&'static str, usize>>,
    pub(crate) answered: AtomicUsize,
    /// By how much the latest call outlived its deadline.
    pub(crate) overrun_micros: AtomicU64,
}

impl Ended {
    fn note(&self, kind: &'static str, overrun: Duration) {
        *self.by_kind.lock().unwrap().entry(kind).or_default() += 1;
        self.overrun_micros.fetch_max(overrun.as_micros() as u64, Ordering::Relaxed);
    }
}

pub(crate) const CALLERS: usize = 12;

/// Callers, one call after the other each.
pub(crate) struct Callers {
    running: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    pub(crate) ended: Arc<Ended>,
}

const DEADLINES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_millis(2500)];

impl Callers {
    pub(crate) fn start(echo: &EchoClient) -> Self {
        let (running, ended) = (Arc::new(AtomicBool::new(true)), Arc::<Ended>::default());
        let tasks = (0..CALLERS as u64).map(|caller| {
            let (echo, running, ended) = (echo.clone(), running.clone(), ended.clone());
            tokio::spawn(async move {
                let mut call = 0;
                while running.load(Ordering::Relaxed) {
                    let id = call * CALLERS as u64 + caller;
                    let deadline = DEADLINES[(id % 3) as usize];
                    let began = Instant::now();
                    let result = echo.echo(id, id % 20).timeout(deadline).await;
                    let overrun = began.elapsed().saturating_sub(deadline);
                    let kind = match result {
                        Ok(reply) => {
                            assert_eq!(reply, id, "a reply of another call");
                            ended.answered.fetch_add(1, Ordering::Relaxed);
                            "answered"
                        }
                        Err(CallError::Timeout(_)) => "timed out",
                        Err(CallError::Unavailable(_)) => "not sent",
                        Err(CallError::ReplyChannelLost) => "reply channel lost",
                        Err(CallError::UnknownService { .. }) => "no queue",
                        // It waited through the fault, and too little was left.
                        Err(CallError::Remote(fault)) if fault.code.as_deref() == Some("BUSY") => "not begun",
                        Err(other) => panic!("{other:?}"),
                    };
                    ended.note(kind, overrun);
                    call += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        });
        Self { tasks: tasks.collect(), running, ended }
    }

    pub(crate) async fn stop(self) -> Arc<Ended> {
        self.running.store(false, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.ended
    }
}

/// Publishers to a durable queue. What was confirmed must be there at the end; what had no verdict is published again under the same id.
pub(crate) struct Publishers {
    running: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<usize>>,
    pub(crate) transport: Arc<dyn Transport>,
    queue: Name,
}

pub(crate) struct Published {
    pub(crate) confirmed: usize,
    pub(crate) lost: usize,
    pub(crate) twice: usize,
}

impl Publishers {
    pub(crate) async fn start(uri: &str) -> Self {
        const PUBLISHERS: usize = 4;
        let transport = connect(uri, TransportOptions::default()).await.unwrap();
        let queue = Name::from(unique("faults.ledger"));
        let topology = Topology { queues: vec![Queue::durable(queue.clone())], ..Topology::default() };
        soon("a declaration", transport.declare(topology)).await.unwrap();
        let running = Arc::new(AtomicBool::new(true));
        let tasks = (0..PUBLISHERS).map(|publisher| {
            let (transport, queue, running) = (transport.clone(), queue.clone(), running.clone());
            tokio::spawn(async move {
                let mut confirmed = 0;
                while running.load(Ordering::Relaxed) {
                    publish_until_confirmed(&*transport, &queue, &format!("{publisher}-{confirmed}")).await;
                    confirmed += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                confirmed
            })
        });
        let publishers = Self { tasks: tasks.collect(), running, transport, queue };
        // Its channel is open from here on.
        publish_until_confirmed(&*publishers.transport, &publishers.queue, "first").await;
        publishers
    }

    /// Stops, and compares what was confirmed with what is there.
    pub(crate) async fn stop(self) -> Published {
        self.running.store(false, Ordering::Relaxed);
        let mut expected = vec!["first".to_owned()];
        for (publisher, task) in self.tasks.into_iter().enumerate() {
            let confirmed = soon("the last confirm", task).await.unwrap();
            expected.extend((0..confirmed).map(|number| format!("{publisher}-{number}")));
        }
        let waiting = soon("a status", self.transport.queue_status(&self.queue)).await.unwrap();
        let waiting = waiting.expect("a durable queue stays").messages as usize;
        let (sink, deliveries) = Deliveries::new();
        let consumer = soon("a consumer", self.transport.consume(self.queue.clone(), 500, sink)).await.unwrap();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for _ in 0..waiting {
            let delivery = deliveries.next().await;
            *seen.entry(body(delivery.message())).or_default() += 1;
            delivery.ack();
        }
        soon("a cancel", consumer.cancel()).await;
        soon("a close", self.transport.close()).await;
        Published {
            confirmed: expected.len(),
            lost: expected.iter().filter(|id| !seen.contains_key(*id)).count(),
            twice: seen.values().filter(|count| **count > 1).count(),
        }
    }
}

async fn publish_until_confirmed(transport: &dyn Transport, queue: &Name, id: &str) {
    loop {
        let message = Message {
            routing_key: queue.clone(),
            properties: Properties {
                persistent: true,
                message_id: Some(id.to_owned().into()),
                ..Properties::default()
            },
            body: id.to_owned().into(),
            ..Message::default()
        };
        match timeout(Duration::from_secs(2), transport.publish(message)).await {
            Ok(Ok(published)) => return assert!(published.routed, "a durable queue stays"),
            Ok(Err(error)) => assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error:?}"),
            // Its deadline: dropped, it was published or not.
            Err(_) => {}
        }
    }
}
