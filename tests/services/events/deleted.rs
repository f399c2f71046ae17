//! What somebody deletes under a running service: the transport's own tests are in `tests/broker/deletions.rs`.

use std::{
    future::IntoFuture,
    time::{Duration, Instant},
};

use kinoko::{
    Settings,
    prelude::*,
    testing::TestApp,
    transport::{TransportOptions, connect},
};
use kinoko_tests::{amqp_uri, eventually, message, soon};
use serde::{Deserialize, Serialize};

use super::{Journal, outside, properties};

const EXCHANGE: &str = "broker_deleted.events";
const QUEUE: &str = "evt-broker_deleted-happened--broker_deleted.on_happened";

/// Within which time what was deleted must be there again.
const LIMIT: Duration = Duration::from_secs(2);

#[event(source = "broker_deleted")]
#[derive(Debug, Serialize, Deserialize)]
struct Happened(u32);

#[derive(Dependencies)]
struct Deleted {
    journal: Journal,
}

#[service(name = "broker_deleted")]
impl Deleted {
    #[event_handler(Happened)]
    async fn on_happened(&self, Happened(number): Happened) {
        self.journal.note(number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn what_a_service_declared_comes_back_within_two_seconds_and_readiness_tells() {
    let raw = outside(&[QUEUE]).await;
    let (journal, mut entries) = Journal::new();
    let mut settings = Settings::default();
    settings.set("redeclare_interval", "1s");
    let app = TestApp::new().broker(amqp_uri()).settings(settings).service::<Deleted>().replace(journal);
    let app = app.start().await.unwrap();
    assert_eq!((app.readiness().is_ready(), app.readiness().interruptions()), (true, 0));

    // Its queue: consumed again, and the gap shows.
    let deleted = Instant::now();
    raw.delete_queue(QUEUE).await;
    let back = async || {
        let readiness = app.readiness();
        (readiness.interruptions() == 1 && readiness.is_ready()).then_some(())
    };
    eventually(LIMIT, "the queue is consumed again", back).await;
    assert!(raw.publish_to(EXCHANGE, "happened", b"1", properties()).await, "it is bound, too");
    assert_eq!(entries.next().await.0, "1");
    assert!(deleted.elapsed() < LIMIT, "{:?}", deleted.elapsed());

    let stranger = soon("a connection", connect(&amqp_uri(), TransportOptions::default())).await.unwrap();
    // Its binding, and its exchange: by the next declaration of everything, for somebody who declares nothing …
    for (number, exchange_too) in [(2, false), (3, true)] {
        raw.unbind(QUEUE, EXCHANGE, "happened").await;
        if exchange_too {
            raw.delete_exchange(EXCHANGE).await;
        }
        let deleted = Instant::now();
        let routed = async || {
            let mut event = message(EXCHANGE, "happened", &number.to_string());
            event.properties.content_type = Some("application/json".into());
            stranger.publish(event).await.is_ok_and(|published| published.routed).then_some(())
        };
        eventually(LIMIT, "the queue is bound again", routed).await;
        assert_eq!(entries.next().await.0, number.to_string());
        assert!(deleted.elapsed() < LIMIT, "{:?}", deleted.elapsed());
    }
    assert_eq!((app.readiness().is_ready(), app.readiness().interruptions()), (true, 1));
    soon("a close", stranger.close()).await;
    soon("a stop", app.stop()).await.unwrap();
    outside(&[QUEUE]).await.delete_exchange(EXCHANGE).await;
}

#[derive(Dependencies)]
struct Publishing {
    events: EventDispatcher,
    journal: Journal,
}

#[service(name = "broker_deleted_at_once")]
impl Publishing {
    #[rpc]
    async fn publish(&self, number: u32) -> kinoko::Result<bool> {
        Ok(self.events.dispatch_to("broker_deleted_at_once", "happened", &number).await?.routed)
    }

    #[event_handler("broker_deleted_at_once", "happened")]
    async fn on_happened(&self, number: u32) {
        self.journal.note(number);
    }
}

/// … and at once by a dispatcher that sees the message come back, or the exchange missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_dispatcher_brings_back_what_its_service_declared_at_once() {
    const QUEUE: &str = "evt-broker_deleted_at_once-happened--broker_deleted_at_once.on_happened";
    const EXCHANGE: &str = "broker_deleted_at_once.events";
    let raw = outside(&[QUEUE]).await;
    let (journal, mut entries) = Journal::new();
    let mut settings = Settings::default();
    settings.set("redeclare_interval", "0s");
    let app = TestApp::new().broker(amqp_uri()).settings(settings).service::<Publishing>().replace(journal);
    let app = app.start().await.unwrap();
    let client = app.client::<PublishingClient>();
    for (number, exchange_too) in [(1, false), (2, true)] {
        raw.unbind(QUEUE, EXCHANGE, "happened").await;
        if exchange_too {
            raw.delete_exchange(EXCHANGE).await;
        }
        let asked = Instant::now();
        assert!(soon("an answer", client.publish(number).into_future()).await.unwrap(), "it was routed");
        assert!(asked.elapsed() < LIMIT, "{:?}", asked.elapsed());
        assert_eq!(entries.next().await.0, number.to_string());
    }
    soon("a stop", app.stop()).await.unwrap();
    outside(&[QUEUE]).await.delete_exchange(EXCHANGE).await;
}
