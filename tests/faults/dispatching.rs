//! Events, many at once, each until it is acknowledged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kinoko::{EventDispatcher, event::DispatchError};
use kinoko_tests::soon;
use tokio::{task::JoinSet, time::sleep};

/// How many wait for their confirm at once.
pub(crate) const IN_FLIGHT: usize = 256;

/// One of so many is dispatched for later.
pub(crate) const DELAYED: usize = 20;
const DELAY: Duration = Duration::from_secs(3);

/// How long after it made a quorum queue RabbitMQ (3.10.8, ra 2.2.0) has written down that it did, and some more: it does so when half a
/// second has passed. Killed before, it begins that queue anew, empty and without leader.
const REMEMBERED: Duration = Duration::from_secs(2);

/// Longer than a killed broker takes to be back.
const STUCK: Duration = Duration::from_secs(120);

/// Dispatches the events 0, 1, 2, … so many; begun and not yet ended.
pub(crate) struct Dispatching {
    dispatcher: EventDispatcher,
    tasks: JoinSet<()>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    next: AtomicUsize,
    acknowledged: AtomicUsize,
    repeated: AtomicUsize,
}

impl Dispatching {
    pub(crate) async fn start(uri: &str, events: usize) -> Self {
        let dispatcher = EventDispatcher::connect(uri).await.unwrap();
        // Makes the queues that delay, for an event that nobody has: a broker that is killed right after it made a queue loses it.
        dispatcher.dispatch_to("faults_source", "prepared", &0).after(DELAY).await.unwrap();
        sleep(REMEMBERED).await;
        let progress = Arc::<Progress>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let (dispatcher, progress) = (dispatcher.clone(), progress.clone());
            tasks.spawn(async move {
                loop {
                    let id = progress.next.fetch_add(1, Ordering::Relaxed);
                    if id >= events {
                        return;
                    }
                    dispatch_until_acknowledged(&dispatcher, id, &progress).await;
                }
            });
        }
        Self { dispatcher, tasks, progress }
    }

    /// Waits until so many are acknowledged, for as long as there are more and more.
    pub(crate) async fn until(&self, goal: usize) {
        let (mut last, mut since) = (self.acknowledged(), Instant::now());
        while last < goal {
            sleep(Duration::from_millis(10)).await;
            let now = self.acknowledged();
            if now > last {
                (last, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < STUCK, "{now} of {goal} were acknowledged, and no more");
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.progress.acknowledged.load(Ordering::Relaxed)
    }

    /// How often a dispatch ended with an error, after which its event was dispatched again.
    pub(crate) fn repeated(&self) -> usize {
        self.progress.repeated.load(Ordering::Relaxed)
    }

    /// Waits until all are acknowledged.
    pub(crate) async fn finish(&mut self, events: usize) {
        self.until(events).await;
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap();
        }
        soon("a close", self.dispatcher.close()).await;
    }
}

async fn dispatch_until_acknowledged(dispatcher: &EventDispatcher, id: usize, progress: &Progress) {
    loop {
        let mut dispatch = dispatcher.dispatch_to("faults_source", "happened", &id);
        if id % DELAYED == 1 {
            dispatch = dispatch.after(DELAY);
        }
        match dispatch.await {
            Ok(dispatched) => {
                assert!(dispatched.routed, "its queue is durable");
                progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(error) => {
                // A queue that fails with its broker refuses.
                let of_outage = matches!(
                    error,
                    DispatchError::OutcomeUnknown(_) | DispatchError::Unavailable(_) | DispatchError::Rejected(_)
                );
                assert!(of_outage, "{error:?}");
                progress.repeated.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
