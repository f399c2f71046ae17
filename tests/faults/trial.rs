//! One fault: the same load and the same invariants for each.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use kinoko::{Client, RunningApp, prelude::*};
use kinoko_tests::eventually;
use tokio::task::JoinHandle;

use crate::{
    load::{Backlog, Callers, Echo, EchoClient, Publishers},
    node::{Census, Node},
    report,
};

/// A call that outlives its deadline by more than this is late.
pub(crate) const TOLERANCE: Duration = Duration::from_millis(250);

/// A service under load, to which a fault happens.
pub(crate) struct Trial {
    fault: &'static str,
    pub(crate) server: Arc<RunningApp>,
    pub(crate) client: Client,
    callers: Callers,
    pub(crate) publishers: Publishers,
    baseline: Census,
    readiness: Sampler,
}

/// What is to be seen of a fault beside the invariants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The consumers were interrupted, and readiness told it.
    Interrupted,
    /// The service was not ready, and its consumers went on.
    Blocked,
    /// Nothing: the service was ready all the time.
    None,
}

impl Trial {
    pub(crate) async fn start(fault: &'static str, node: &Node, uri: &str) -> Self {
        let server = App::new().broker(uri).service::<Echo>().service::<Backlog>().start().await.unwrap();
        Self::around(fault, node, uri, server).await
    }

    /// The same with a service that is there already.
    pub(crate) async fn around(fault: &'static str, node: &Node, uri: &str, server: RunningApp) -> Self {
        let client = Client::connect(uri).await.unwrap();
        let echo = client.service::<EchoClient>();
        assert_eq!(echo.echo(1, 0).timeout(Duration::from_secs(20)).await.unwrap(), 1);
        let publishers = Publishers::start(uri).await;
        // With everything open that stays open. Those of the test before may be on their way out.
        let mut baseline = node.census();
        loop {
            let again = node.census();
            if again == baseline {
                break;
            }
            baseline = again;
        }
        let callers = Callers::start(&echo);
        let server = Arc::new(server);
        let trial = Self { fault, readiness: Sampler::start(&server), server, client, callers, publishers, baseline };
        trial.some_more(100).await;
        trial
    }

    /// How many calls were answered.
    pub(crate) fn answered(&self) -> usize {
        self.callers.ended.answered.load(Ordering::Relaxed)
    }

    /// Waits until this many more calls were answered.
    pub(crate) async fn some_more(&self, more: usize) {
        let goal = self.answered() + more;
        let answered = || async { (self.answered() >= goal).then_some(()) };
        eventually(Duration::from_secs(60), "calls are answered", answered).await;
    }

    /// Call it when the fault is over: sees the service resume, ends the load, and holds the invariants against what has happened.
    pub(crate) async fn finish(self, node: &Node, gap: Gap) {
        let over = Instant::now();
        let echo = self.client.service::<EchoClient>();
        let resumed = || async { echo.echo(1, 0).timeout(Duration::from_millis(500)).await.ok() };
        eventually(Duration::from_secs(60), "the service resumes", resumed).await;
        let resumed = over.elapsed();
        self.some_more(100).await;
        let Self { fault, server, client, callers, publishers, baseline, readiness } = self;
        eventually(Duration::from_secs(20), "the service is ready", || async {
            server.readiness().is_ready().then_some(())
        })
        .await;
        let ended = callers.stop().await;
        let idle = || async { (client.pending_calls() == 0 && server.running_workers() == 0).then_some(()) };
        eventually(Duration::from_secs(5), "no call is pending and no worker is left", idle).await;
        let back = || async { (node.census() == baseline).then_some(()) };
        eventually(Duration::from_secs(40), "connections, channels and queues are as before", back).await;
        let published = publishers.stop().await;
        let unready = readiness.stop().await;
        let interruptions = server.readiness().interruptions();
        let overrun = Duration::from_micros(ended.overrun_micros.load(Ordering::Relaxed));

        let mut calls = String::new();
        for (kind, count) in &*ended.by_kind.lock().unwrap() {
            write!(calls, "{count} {kind}, ").unwrap();
        }
        let Census { connections, channels, queues } = baseline;
        report(
            fault,
            &format!(
                "{calls}latest {overrun:.0?} after its deadline; {} publishes confirmed, {} lost, {} twice; \
                 not ready for {:.1?}, {interruptions} interruptions; answered again {resumed:.1?} after the fault; \
                 0 pending, {connections} connections, {channels} channels, {queues} queues as before",
                published.confirmed, published.lost, published.twice, unready.total
            ),
        );
        assert!(overrun <= TOLERANCE, "a call ended {overrun:?} after its deadline");
        assert_eq!(published.lost, 0, "of {} confirmed messages", published.confirmed);
        match gap {
            Gap::Interrupted => assert!(interruptions > 0, "readiness told nothing"),
            Gap::Blocked => {
                assert_eq!(interruptions, 0, "{:?}", unready.reasons);
                assert!(
                    unready.reasons.iter().any(|reason| reason.contains("takes no messages")),
                    "{:?}",
                    unready.reasons
                );
            }
            Gap::None => assert_eq!((interruptions, &*unready.reasons), (0, &[][..])),
        }
        client.close().await;
        match Arc::try_unwrap(server) {
            Ok(server) => server.stop().await.unwrap(),
            Err(_) => panic!("the sampler has ended"),
        }
    }
}

/// Asks for readiness again and again.
struct Sampler {
    running: Arc<AtomicBool>,
    unready: Arc<Mutex<Unready>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default, Clone)]
struct Unready {
    total: Duration,
    reasons: Vec<String>,
}

impl Sampler {
    fn start(server: &Arc<RunningApp>) -> Self {
        let (running, unready) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<Unready>>::default());
        let task = tokio::spawn({
            let (server, running, unready) = (server.clone(), running.clone(), unready.clone());
            async move {
                let mut last = Instant::now();
                while running.load(Ordering::Relaxed) {
                    let readiness = server.readiness();
                    let now = Instant::now();
                    if !readiness.is_ready() {
                        let mut unready = unready.lock().unwrap();
                        unready.total += now - last;
                        for reason in readiness.reasons() {
                            if !unready.reasons.contains(reason) {
                                unready.reasons.push(reason.clone());
                            }
                        }
                    }
                    last = now;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        });
        Self { running, unready, task }
    }

    async fn stop(self) -> Unready {
        self.running.store(false, Ordering::Relaxed);
        self.task.await.unwrap();
        self.unready.lock().unwrap().clone()
    }
}
