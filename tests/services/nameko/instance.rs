//! Instances of ours whose handlers tell the test what they get, as Python's do.

use std::collections::BTreeMap;

use kinoko::{
    Value,
    event::RawDelivery,
    prelude::*,
    service::Service,
    testing::{RunningTestApp, TestApp},
};
use kinoko_tests::{Raw, amqp_uri, soon};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The field through which handlers tell.
#[derive(Clone, Debug)]
pub(super) struct Test(UnboundedSender<Told>);

/// What a handler got.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) method: &'static str,
    pub(super) payload: Value,
    /// Of an event: its type. Empty where the handler has not asked for it.
    pub(super) routing_key: String,
    pub(super) attempt: u32,
    pub(super) context: BTreeMap<String, Value>,
    pub(super) stack: Vec<String>,
}

impl Test {
    /// A message as it came.
    pub(super) fn got(&self, cx: &WorkerContext, raw: &RawDelivery) {
        self.tell(cx, raw.decode().unwrap(), raw.routing_key());
    }

    /// A payload that was read.
    pub(super) fn read(&self, cx: &WorkerContext, payload: impl Into<Value>) {
        self.tell(cx, payload.into(), "");
    }

    fn tell(&self, cx: &WorkerContext, payload: Value, routing_key: &str) {
        // A test that has ended wants no more.
        let _ = self.0.send(Told {
            method: cx.entrypoint(),
            payload,
            routing_key: routing_key.to_owned(),
            attempt: cx.attempt(),
            context: cx.data().map(|(key, value)| (key.to_owned(), value.clone())).collect(),
            stack: cx.call_id_stack(),
        });
    }
}

impl Dependency for Test {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Err(kinoko::Error::msg("the test brings its own"))
    }
}

/// A running instance of a service, and what its handlers tell.
pub(super) struct Instance {
    pub(super) app: RunningTestApp,
    told: UnboundedReceiver<Told>,
}

impl Instance {
    pub(super) async fn of<S: Service>() -> Self {
        let (sender, told) = unbounded_channel();
        let app = TestApp::new().service::<S>().broker(amqp_uri()).replace(Test(sender));
        Self { app: app.start().await.unwrap(), told }
    }

    /// The next message that a handler got, which must come soon.
    pub(super) async fn next(&mut self) -> Told {
        soon("a message for a handler of ours", self.told.recv()).await.expect("the instance runs")
    }

    /// The next so many.
    pub(super) async fn take(&mut self, count: usize) -> Vec<Told> {
        let mut told = Vec::with_capacity(count);
        for _ in 0..count {
            told.push(self.next().await);
        }
        told
    }

    /// One that a handler has got already.
    pub(super) fn ready(&mut self) -> Option<Told> {
        self.told.try_recv().ok()
    }

    /// Stops it. Gives what its handlers had got that nobody has taken.
    pub(super) async fn stop(mut self) -> Vec<Told> {
        self.app.stop().await.unwrap();
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }
}

/// Has a Python peer dispatch an event for each payload.
pub(super) async fn dispatch(app: &RunningTestApp, peer: &str, event: &str, payloads: impl IntoIterator<Item = i64>) {
    let payloads: Vec<_> = payloads.into_iter().collect();
    app.proxy().call(peer.to_owned(), "dispatch").arg(event).arg(payloads).await.unwrap();
}

/// Deletes what an earlier run may have left, or what this one leaves: queues, and the exchanges of events of these services.
pub(super) async fn clean(queues: &[&str], sources: &[&str]) {
    let raw = Raw::connect(&amqp_uri()).await;
    for queue in queues {
        raw.delete_queue(queue).await;
        raw.delete_queue(&format!("kinoko.dead-{queue}")).await;
    }
    for source in sources {
        raw.delete_exchange(&format!("{source}.events")).await;
    }
}
