//! A stranger that asks: it knows the wire, and nothing of the library's discovery.

use std::{sync::Arc, time::Duration};

use kinoko::{
    protocol::{Message, Name, Properties},
    transport::{Exchange, ExchangeKind, Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, eventually, unique};
use serde_json::{Value, json};

use super::SOON;

pub(super) struct Asker {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) queue: Name,
    deliveries: Deliveries,
}

/// How long answers are waited for after the first.
const QUIET: Duration = Duration::from_millis(300);

impl Asker {
    pub(super) async fn connect(broker: &str) -> Self {
        let transport = connect(broker, TransportOptions::default()).await.unwrap();
        let queue = Name::from(unique("discovery.asker"));
        let topology = Topology {
            exchanges: vec![Exchange { durable: false, ..Exchange::durable("kinoko.srv", ExchangeKind::Topic) }],
            queues: vec![Queue { durable: false, exclusive: true, auto_delete: true, ..Queue::durable(queue.clone()) }],
            bindings: vec![],
        };
        transport.declare(topology).await.unwrap();
        let (sink, deliveries) = Deliveries::new();
        transport.consume(queue.clone(), 100, sink).await.unwrap();
        Self { transport, queue, deliveries }
    }

    /// Publishes, and tells whether anybody has it.
    pub(super) async fn publish(&self, key: &str, reply_to: Option<&str>, id: &str, body: impl Into<Vec<u8>>) -> bool {
        let message = Message {
            exchange: "kinoko.srv".into(),
            routing_key: key.to_owned().into(),
            properties: Properties {
                reply_to: reply_to.map(|reply_to| reply_to.to_owned().into()),
                correlation_id: Some(id.to_owned().into()),
                ..Properties::default()
            },
            body: body.into().into(),
        };
        self.transport.publish(message).await.unwrap().routed
    }

    pub(super) async fn say(&self, key: &str, body: &Value) {
        self.publish(key, None, "", body.to_string()).await;
    }

    /// All answers of this process; none where nobody has the question.
    pub(super) async fn ask(&self, key: &str) -> Vec<Value> {
        let id = unique("question");
        let mut answers = Vec::new();
        if self.publish(key, Some(&self.queue), &id, "").await {
            while let Ok(delivery) = tokio::time::timeout(QUIET, self.deliveries.wait()).await {
                let message = delivery.message();
                if message.properties.correlation_id.as_deref() == Some(&*id) {
                    assert_eq!(message.properties.content_type.as_deref(), Some("application/json"));
                    let answer: Value = serde_json::from_slice(&message.body).unwrap();
                    // Other runs of these tests may share the broker.
                    if answer["pid"] == std::process::id() {
                        answers.push(answer);
                    }
                }
                delivery.ack();
            }
        }
        answers
    }

    /// The only answer, as soon as there is one: programs are found soon after their start.
    pub(super) async fn one(&self, key: &str) -> Value {
        let answers = eventually(SOON, key, || async {
            let answers = self.ask(key).await;
            (!answers.is_empty()).then_some(answers)
        });
        let [answer] = answers.await.try_into().unwrap();
        answer
    }

    /// Waits until somebody answers.
    pub(super) async fn wait_for(&self, key: &str) {
        eventually(SOON, key, || async { (!self.ask(key).await.is_empty()).then_some(()) }).await;
    }

    /// How many messages come until it is quiet.
    pub(super) async fn count(&self) -> usize {
        let mut count = 0;
        while let Ok(delivery) = tokio::time::timeout(QUIET, self.deliveries.wait()).await {
            delivery.ack();
            count += 1;
        }
        count
    }

    pub(super) async fn close(&self) {
        self.transport.close().await;
    }
}

/// What a program says of itself.
pub(super) fn presence(instance: &str, services: &[&str]) -> Value {
    json!({
        "instance": instance,
        "program": "stranger",
        "kinoko": "0.1.0",
        "pid": 1,
        "started_at": "2026-01-01T00:00:00Z",
        "uptime_ms": 1,
        "ready": true,
        "ttl_ms": 60_000,
        "services": services.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
    })
}
