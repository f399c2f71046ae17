//! A dependency that holds workers until the test lets them go, and records how they end.

use std::sync::{Arc, Mutex};

use kinoko::{Result, SetupContext, WorkerOutcome, prelude::*};
use tokio::sync::Notify;

#[derive(Clone, Default)]
pub(super) struct Gate {
    /// Each worker that is over: its method, and how it ended.
    ends: Arc<Mutex<Vec<(String, String)>>>,
    pub(super) ended: Arc<Notify>,
    pub(super) entered: Arc<Notify>,
    pub(super) open: Arc<Notify>,
}

impl Gate {
    /// Waits in the middle of a worker.
    pub(super) async fn pass(&self) {
        self.entered.notify_one();
        self.open.notified().await;
    }

    pub(super) fn ends(&self) -> Vec<String> {
        self.ends.lock().unwrap().iter().map(|(_, end)| end.clone()).collect()
    }

    /// The same, each with its method before it.
    pub(super) fn ends_of_methods(&self) -> Vec<String> {
        self.ends.lock().unwrap().iter().map(|(method, end)| format!("{method} {end}")).collect()
    }
}

impl Dependency for Gate {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> Result<Self> {
        Ok(Self::default())
    }

    async fn worker_result(&self, cx: &WorkerContext, outcome: WorkerOutcome<'_>) -> Result<()> {
        let end = match outcome {
            WorkerOutcome::Ok => "ok".to_owned(),
            WorkerOutcome::Failed(fault) => fault.exc_type.to_string(),
            other => format!("{other:?}"),
        };
        self.ends.lock().unwrap().push((cx.entrypoint().to_owned(), end));
        self.ended.notify_one();
        Ok(())
    }
}
