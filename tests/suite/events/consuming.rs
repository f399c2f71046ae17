use std::time::Duration;

use kinoko::{
    ErrorKind,
    prelude::*,
    protocol::{Message, delivery_headers as headers},
    transport::{Queue, Topology},
};

use super::{Bench, Journal, header, json_properties};

#[derive(Dependencies)]
struct Consuming {
    journal: Journal,
}

#[service(name = "consuming_bound")]
impl Consuming {
    #[consume(
        "consuming.invoices",
        exchange = "consuming",
        kind = "topic",
        routing_key = "invoice.*",
        retry(max = 2, backoff = "1s")
    )]
    async fn on_invoice(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        self.journal.note(format!("{} {} {}", raw.exchange(), raw.routing_key(), raw.attempt()), &cx);
        Err(kinoko::Error::msg("cannot be booked"))
    }
}

#[derive(Dependencies)]
struct Visiting {
    journal: Journal,
}

#[service(name = "consuming_foreign")]
impl Visiting {
    #[consume("consuming.foreign", declare = false)]
    async fn on_foreign(&self, #[inject] cx: WorkerContext, text: String) {
        self.journal.note(text, &cx);
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_declared_bound_and_consumed() {
    let mut bench = Bench::new().await;
    let app = bench.start::<Consuming>().await;
    let message = Message {
        exchange: "consuming".into(),
        routing_key: "invoice.sent".into(),
        properties: json_properties(),
        body: "7".into(),
    };
    assert!(bench.publish(message).await);
    for attempt in [1, 2] {
        assert_eq!(bench.next().await.what, format!("consuming invoice.sent {attempt}"));
    }
    let letter = bench.dead_letter("consuming.invoices").await;
    assert_eq!(header(&letter, headers::DEAD_EXCHANGE), "consuming");
    assert_eq!(header(&letter, headers::DEAD_METHOD), "on_invoice");
    bench.silence(Duration::from_secs(60)).await;
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_somebody_else_declares_has_to_be_there() {
    let mut bench = Bench::new().await;
    let error = bench.app::<Visiting>().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(
        error
            .to_string()
            .starts_with("`consuming_foreign.on_foreign` consumes the queue `consuming.foreign`, which is not there"),
        "{error}"
    );
    let topology = Topology { queues: vec![Queue::durable("consuming.foreign")], ..Topology::default() };
    bench.transport.declare(topology).await.unwrap();
    let app = bench.start::<Visiting>().await;
    let message = Message {
        routing_key: "consuming.foreign".into(),
        properties: json_properties(),
        body: "\"hello\"".into(),
        ..Message::default()
    };
    bench.publish(message).await;
    assert_eq!(bench.next().await.what, "hello");
    app.stop().await.unwrap();
    assert_eq!(bench.waiting("consuming.foreign").await, Some(0));
    assert_eq!(bench.waiting("kinoko.dead-consuming.foreign").await, None, "nobody needed it");
}
