//! Events, many at once, each until it is acknowledged.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kinoko::{
    ErrorKind,
    protocol::{Message, Properties},
    transport::{Exchange, ExchangeKind, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::soon;
use tokio::task::JoinSet;

/// How many wait for their confirm at once.
const IN_FLIGHT: usize = 256;

/// Dispatches the events 0, 1, 2, … so many; begun and not yet ended.
pub(crate) struct Dispatching {
    transport: Arc<dyn Transport>,
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
        let transport = connect(uri, TransportOptions::default()).await.unwrap();
        let exchanges = vec![Exchange::durable("faults_source.events", ExchangeKind::Topic)];
        soon("a declaration", transport.declare(Topology { exchanges, ..Topology::default() })).await.unwrap();
        let progress = Arc::<Progress>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let (transport, progress) = (transport.clone(), progress.clone());
            tasks.spawn(async move {
                loop {
                    let id = progress.next.fetch_add(1, Ordering::Relaxed);
                    if id >= events {
                        return;
                    }
                    dispatch_until_acknowledged(&*transport, id, &progress).await;
                }
            });
        }
        Self { transport, tasks, progress }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.progress.acknowledged.load(Ordering::Relaxed)
    }

    /// How often a dispatch ended without a verdict, after which its event was dispatched again.
    pub(crate) fn unknown(&self) -> usize {
        self.progress.unknown.load(Ordering::Relaxed)
    }

    /// Waits until all are acknowledged.
    pub(crate) async fn finish(&mut self) {
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap();
        }
        soon("a close", self.transport.close()).await;
    }
}

async fn dispatch_until_acknowledged(transport: &dyn Transport, id: usize, progress: &Progress) {
    loop {
        let message = Message {
            exchange: "faults_source.events".into(),
            routing_key: "happened".into(),
            properties: Properties { persistent: true, ..Properties::default() },
            body: id.to_string().into(),
        };
        match transport.publish(message).await {
            Ok(published) => {
                assert!(published.routed, "its queue is durable");
                progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error:?}");
                progress.unknown.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
