//! Handling events and messages: attempts and their delays, dead letters, who gets what, batches, stops. Time stands still but for sleeps.

mod batches;
mod consuming;
mod context;
mod crashes;
mod idempotency;
mod kinds;
mod ordering;
mod payloads;
mod retries;
mod stopping;
mod verdicts;

use std::{sync::Arc, time::Duration};

use kinoko::{
    Value,
    prelude::*,
    protocol::{Headers, Message, Name, Properties},
    service::Service,
    testing::{RunningTestApp, TestApp},
    transport::{Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, eventually, unique};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, timeout},
};

/// What a worker says of itself.
#[derive(Debug)]
struct Entry {
    what: String,
    at: Duration,
    context: WorkerContext,
}

/// Where the workers of a test write what they do.
#[derive(Clone, Debug)]
struct Journal {
    entries: UnboundedSender<Entry>,
    began: Instant,
}

impl Dependency for Journal {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Err(kinoko::Error::msg("the test brings it"))
    }
}

impl Journal {
    fn note(&self, what: impl ToString, context: &WorkerContext) {
        let entry = Entry { what: what.to_string(), at: self.began.elapsed(), context: context.clone() };
        // A test that has ended wants no more.
        let _ = self.entries.send(entry);
    }
}

/// A broker in memory, with what its tests do to it from outside.
struct Bench {
    broker: String,
    transport: Arc<dyn Transport>,
    journal: Journal,
    entries: UnboundedReceiver<Entry>,
}

impl Bench {
    async fn new() -> Self {
        let broker = format!("memory://{}", unique("events"));
        let transport = connect(&broker, TransportOptions::default()).await.unwrap();
        let (entries, receiver) = unbounded_channel();
        let journal = Journal { entries, began: Instant::now() };
        Self { broker, transport, journal, entries: receiver }
    }

    /// One instance of a service.
    async fn start<S: Service>(&self) -> RunningTestApp {
        self.app::<S>().start().await.unwrap()
    }

    fn app<S: Service>(&self) -> TestApp {
        TestApp::new().broker(&self.broker).service::<S>().replace(self.journal.clone())
    }

    /// Dispatches an event as Nameko does. Says whether a queue took it.
    async fn dispatch(&self, source: &str, name: &str, payload: impl Into<Value>) -> bool {
        self.publish(event(source, name, payload)).await
    }

    async fn publish(&self, message: Message) -> bool {
        self.transport.publish(message).await.unwrap().routed
    }

    /// The next thing that a worker said.
    async fn next(&mut self) -> Entry {
        timeout(Duration::from_secs(24 * 3600), self.entries.recv()).await.expect("a worker says something").unwrap()
    }

    /// Asserts that no worker says anything for this long.
    async fn silence(&mut self, time: Duration) {
        if let Ok(entry) = timeout(time, self.entries.recv()).await {
            panic!("a worker said {entry:?}");
        }
    }

    /// Takes the next dead letter of a queue, as soon as there is one.
    async fn dead_letter(&self, queue: &str) -> Arc<Message> {
        let name = Name::from(format!("kinoko.dead-{queue}"));
        let there = || async { self.transport.queue_status(&name).await.unwrap().filter(|status| status.messages > 0) };
        eventually(Duration::from_secs(3600), "a dead letter", there).await;
        let (sink, deliveries) = Deliveries::new();
        let consumer = self.transport.consume(name.clone(), 1, sink).await.unwrap();
        let delivery = deliveries.next().await;
        consumer.cancel().await;
        let message = delivery.message().clone();
        delivery.ack();
        message
    }

    /// How many messages wait in a queue; `None` where there is no such queue.
    async fn waiting(&self, queue: &str) -> Option<u32> {
        self.transport.queue_status(&queue.to_owned().into()).await.unwrap().map(|status| status.messages)
    }
}

/// An event as Nameko dispatches it.
fn event(source: &str, name: &str, payload: impl Into<Value>) -> Message {
    Message {
        exchange: format!("{source}.events").into(),
        routing_key: name.to_owned().into(),
        properties: json_properties(),
        body: payload.into().to_string().into(),
    }
}

fn json_properties() -> Properties {
    Properties {
        content_type: Some("application/json".into()),
        content_encoding: Some("utf-8".into()),
        persistent: true,
        headers: Headers::from_iter([("nameko.language", "de")]),
        ..Properties::default()
    }
}

fn header(message: &Message, name: &str) -> Value {
    message.properties.headers.get(name).cloned().unwrap_or_default()
}
