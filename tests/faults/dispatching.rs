//! Events, many at once, each until it is acknowledged.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kinoko::EventDispatcher;
use kinoko_tests::soon;
use tokio::task::JoinSet;

/// How many wait for their confirm at once.
pub(crate) const IN_FLIGHT: usize = 256;

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
    unknown: AtomicUsize,
}

impl Dispatching {
    pub(crate) async fn start(uri: &str, events: usize) -> Self {
        let dispatcher = EventDispatcher::connect(uri).await.unwrap();
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

    pub(crate) fn acknowledged(&self) -> usize {
        self.progress.acknowledged.load(Ordering::Relaxed)
    }

    /// How often a dispatch ended with an error that leaves open whether it was sent, after which its event was dispatched again.
    pub(crate) fn unknown(&self) -> usize {
        self.progress.unknown.load(Ordering::Relaxed)
    }

    /// Waits until all are acknowledged.
    pub(crate) async fn finish(&mut self) {
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap();
        }
        soon("a close", self.dispatcher.close()).await;
    }
}

async fn dispatch_until_acknowledged(dispatcher: &EventDispatcher, id: usize, progress: &Progress) {
    loop {
        match dispatcher.dispatch_to("faults_source", "happened", &id).await {
            Ok(dispatched) => {
                assert!(dispatched.routed, "its queue is durable");
                progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(error) => {
                assert!(error.may_have_been_sent(), "{error:?}");
                progress.unknown.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
