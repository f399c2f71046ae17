//! Events, messages and dead letters over a real RabbitMQ: what only a broker can show. `tests/suite` has the rest.

mod dead_letters;
mod deleted;
mod dispatching;
mod letters;
mod ordering;
mod queues;
mod redelivered;
mod retries;
mod timers;

use std::time::Duration;

use kinoko::prelude::*;
use kinoko_tests::{Raw, amqp_uri};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// Where the workers of a test write what they do.
#[derive(Clone)]
struct Journal(UnboundedSender<(String, std::time::Instant)>);

impl Dependency for Journal {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Err(kinoko::Error::msg("the test brings it"))
    }
}

impl Journal {
    fn new() -> (Self, Entries) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), Entries(receiver))
    }

    fn note(&self, what: impl ToString) {
        let _ = self.0.send((what.to_string(), std::time::Instant::now()));
    }
}

struct Entries(UnboundedReceiver<(String, std::time::Instant)>);

impl Entries {
    /// The next thing that a worker said, and when.
    async fn next(&mut self) -> (String, std::time::Instant) {
        timeout(Duration::from_secs(20), self.0.recv()).await.expect("a worker says something").unwrap()
    }
}

/// Another program on the broker, with nothing left of earlier runs in these queues, their dead letters included.
async fn outside(queues: &[&str]) -> Raw {
    let raw = Raw::connect(&amqp_uri()).await;
    for queue in queues {
        raw.delete_queue(queue).await;
        raw.delete_queue(&format!("kinoko.dead-{queue}")).await;
    }
    raw
}

/// As Nameko sends events.
fn properties() -> lapin::BasicProperties {
    lapin::BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_delivery_mode(2)
}
