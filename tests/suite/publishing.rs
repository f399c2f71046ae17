//! Publishing to queues and exchanges that something else owns.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use kinoko::{
    DispatchError, Publisher, Settings,
    prelude::*,
    protocol::Message,
    transport::{Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, body, unique};
use serde_json::json;
use tokio::time::{Instant, sleep};

/// The owner of a queue that is no service.
struct Owner {
    transport: Arc<dyn Transport>,
    deliveries: Deliveries,
}

impl Owner {
    async fn of(broker: &str, queue: &str) -> Self {
        let transport = connect(broker, TransportOptions::default()).await.unwrap();
        let topology = Topology { queues: vec![Queue::durable(queue.to_owned())], ..Topology::default() };
        transport.declare(topology).await.unwrap();
        Self::of_declared(transport, queue).await
    }

    async fn of_declared(transport: Arc<dyn Transport>, queue: &str) -> Self {
        let (sink, deliveries) = Deliveries::new();
        transport.consume(queue.to_owned().into(), 100, sink).await.unwrap();
        Self { transport, deliveries }
    }

    async fn next(&self) -> Arc<Message> {
        self.deliveries.next_message().await
    }
}

fn broker() -> String {
    format!("memory://{}", unique("publishing"))
}

#[tokio::test]
async fn a_message_is_on_the_wire_as_nameko_publishes_it() {
    let broker = broker();
    let owner = Owner::of(&broker, "jobs").await;
    let publisher = Publisher::connect(&broker).await.unwrap();
    assert!(publisher.publish(&json!([1, null])).to_queue("jobs").await.unwrap().routed);
    let message = owner.next().await;
    assert_eq!((&*message.exchange, &*message.routing_key), ("", "jobs"));
    assert_eq!(body(&message), "[1,null]");
    let properties = &message.properties;
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert_eq!(properties.content_encoding.as_deref(), Some("utf-8"));
    assert!(properties.persistent && properties.headers.is_empty() && properties.message_id.is_some());
    assert_eq!((properties.priority, properties.expiration, properties.timestamp_ms), (Some(0), None, None));
    publisher.close().await;
}

#[tokio::test]
async fn every_property_can_be_set() {
    let broker = broker();
    let owner = Owner::of(&broker, "jobs").await;
    let publisher = Publisher::connect(&broker).await.unwrap();
    publisher
        .publish_bytes("text/csv", "a;b")
        .to_queue("jobs")
        .content_encoding("latin-1")
        .correlation_id("correlation")
        .reply_to("replies")
        .message_id("message")
        .message_type("type")
        .app_id("app")
        .user_id("guest")
        .timestamp(UNIX_EPOCH + Duration::from_millis(1_700_000_000_900))
        .expiration("1m 30s")
        .priority(9)
        .persistent(false)
        .header("x-own", 1)
        .context("language", "de")
        .await
        .unwrap();
    let message = owner.next().await;
    assert_eq!(body(&message), "a;b");
    let properties = &message.properties;
    let texts = [
        &properties.content_type,
        &properties.content_encoding,
        &properties.correlation_id,
        &properties.reply_to,
        &properties.message_id,
        &properties.kind,
        &properties.app_id,
        &properties.user_id,
    ];
    let texts = texts.map(|text| text.as_deref().unwrap());
    assert_eq!(texts, ["text/csv", "latin-1", "correlation", "replies", "message", "type", "app", "guest"]);
    assert_eq!(properties.timestamp_ms, Some(1_700_000_000), "seconds, as AMQP means it");
    assert_eq!(properties.expiration, Some(Duration::from_secs(90)));
    assert_eq!((properties.priority, properties.persistent), (Some(9), false));
    assert_eq!(properties.headers.get("x-own"), Some(&json!(1)));
    assert_eq!(properties.headers.get("nameko.language"), Some(&json!("de")));
    publisher.close().await;
}

#[tokio::test]
async fn a_place_that_leads_to_no_queue_is_an_error_unless_nobody_minds() {
    let publisher = Publisher::connect("memory://").await.unwrap();
    let message = publisher.publish(&1).to_queue("nowhere");
    let error = message.clone().await.unwrap_err();
    assert_eq!(error, DispatchError::Unroutable { exchange: String::new(), routing_key: "nowhere".into() });
    assert!(!message.mandatory(false).await.unwrap().routed);
    let error = publisher.publish(&1).to_exchange("ex", "key").await.unwrap_err();
    assert_eq!(error.to_string(), "not sent: there is no exchange `ex`: declare it first, or correct its name");
    let error = publisher.publish(&1).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "it cannot be sent as it is: no queue and no exchange is named: \
         `to_queue`, `to_exchange`, or the field's `#[dependency(queue = \"…\")]`"
    );
    let error = publisher.publish(&1).to_queue("nowhere").app_id("x".repeat(256)).await.unwrap_err();
    assert_eq!(error.to_string(), "it cannot be sent as it is: the app id is 256 bytes long, AMQP allows 255");
    publisher.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_can_wait_at_the_broker() {
    let broker = broker();
    let owner = Owner::of(&broker, "jobs").await;
    let publisher = Publisher::connect(&broker).await.unwrap();
    let started = Instant::now();
    assert!(publisher.publish(&1).to_queue("jobs").after("1m").await.unwrap().routed);
    owner.deliveries.wait().await.ack();
    assert_eq!(started.elapsed().as_secs(), 60);
    publisher.close().await;
}

#[derive(Dependencies)]
struct Fields {
    #[dependency(exchange = "shop", queue = "shop.mails", routing_key = "mail.*", kind = "topic", declare = true)]
    shop: Publisher,
    #[dependency(queue = "shop.mails", no_inject)]
    mails: Publisher,
}

#[service(name = "publishing_fields")]
impl Fields {
    #[rpc]
    async fn send(&self) -> kinoko::Result<Vec<String>> {
        self.shop.publish(&1).routing_key("mail.urgent").await?;
        self.mails.publish(&2).await?;
        self.mails.publish(&3).to_exchange("shop", "mail.late").await?;
        let astray = self.shop.publish(&4).routing_key("post").await;
        Ok(WorkerContext::current()
            .unwrap()
            .call_id_stack()
            .into_iter()
            .chain([astray.unwrap_err().to_string()])
            .collect())
    }
}

#[tokio::test]
async fn a_fields_options_say_where_to_and_declare_it() {
    let broker = broker();
    let app = App::new().broker(&broker).service::<Fields>().start().await.unwrap();
    let transport = connect(&broker, TransportOptions::default()).await.unwrap();
    let owner = Owner::of_declared(transport, "shop.mails").await;
    let mut stack = app.client::<FieldsClient>().send().context("language", "de").await.unwrap();
    assert_eq!(stack.pop().unwrap(), "exchange `shop` leads to no queue for routing key `post`");
    for (exchange, routing_key, text) in
        [("shop", "mail.urgent", "1"), ("", "shop.mails", "2"), ("shop", "mail.late", "3")]
    {
        let message = owner.next().await;
        assert_eq!((&*message.exchange, &*message.routing_key, &*body(&message)), (exchange, routing_key, text));
        let headers = &message.properties.headers;
        assert_eq!(headers.get("nameko.language"), Some(&json!("de")));
        assert_eq!(headers.get("nameko.call_id_stack"), Some(&json!(stack)));
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_queue_that_is_not_declared_has_to_be_there() {
    let broker = broker();
    let app = App::new().broker(&broker).service::<Undeclared>().start().await.unwrap();
    let client = app.client::<UndeclaredClient>();
    assert!(client.send().await.unwrap_err().to_string().contains("no queue `publishing.undeclared`"));
    let owner = Owner::of(&broker, "publishing.undeclared").await;
    client.send().await.unwrap();
    assert_eq!(body(&*owner.next().await), "1");
    owner.transport.close().await;
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Undeclared {
    #[dependency(queue = "publishing.undeclared")]
    publisher: Publisher,
}

#[service(name = "publishing_undeclared")]
impl Undeclared {
    #[rpc]
    async fn send(&self) -> kinoko::Result<()> {
        self.publisher.publish(&1).await?;
        Ok(())
    }
}

macro_rules! wrong_options {
    ($($name:ident($($option:tt)*) $text:literal)*) => {$({
        #[derive(Dependencies)]
        struct $name {
            #[dependency($($option)*)]
            publisher: Publisher,
        }

        #[service(name = "publishing_wrong")]
        impl $name {
            #[rpc]
            async fn send(&self) -> kinoko::Result<bool> {
                Ok(self.publisher.publish(&1).await?.routed)
            }
        }

        let error = App::new().service::<$name>().start().await.unwrap_err();
        assert_eq!(error.to_string(), concat!("setting up `publisher` of service `publishing_wrong`: ", $text));
    })*};
}

#[tokio::test]
async fn options_that_contradict_each_other_end_the_start() {
    wrong_options! {
        Both(queue = "q", exchange = "e") "a `queue` beside an `exchange` says what to declare: add `declare = true`, or leave one of them out"
        Key(queue = "q", routing_key = "k") "a `routing_key` needs an `exchange`: by the default one it is the `queue`"
        Nothing(declare = true) "`declare` needs a `queue` or an `exchange`"
        Kind(exchange = "e", kind = "topic") "a `kind` is that of an `exchange` with `declare = true`"
        Unknown(exchange = "e", kind = "tropic", declare = true) "no kind of exchange is called `tropic`: write `direct`, `topic`, `fanout` or `headers`"
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_looks_at_what_its_service_published() {
    let (publisher, recorded) = Publisher::recording();
    let client = UndeclaredClient::from_service(Undeclared { publisher: publisher.clone() });
    client.send().await.unwrap();
    publisher.publish(&2).to_exchange("ex", "key").after("5s").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let sent: Vec<_> = recorded
        .all()
        .iter()
        .map(|sent| (sent.message.exchange.to_string(), body(&sent.message), sent.delay.as_secs()))
        .collect();
    assert_eq!(sent, [(String::new(), "1".to_owned(), 0), ("ex".to_owned(), "2".to_owned(), 5)]);
}

#[tokio::test]
async fn settings_of_a_publisher_are_those_of_a_dispatcher() {
    let broker = broker();
    let owner = Owner::of(&broker, "jobs").await;
    let settings = Settings::from_yaml("{serializer: msgpack, max_body_bytes: 4}").unwrap();
    let publisher = Publisher::connect_with(&broker, &settings).await.unwrap();
    publisher.publish(&"abc").to_queue("jobs").await.unwrap();
    assert_eq!(owner.next().await.properties.content_type.as_deref(), Some("application/x-msgpack"));
    let error = publisher.publish_bytes("text/plain", "12345").to_queue("jobs").await.unwrap_err();
    assert_eq!(error, DispatchError::TooLarge { bytes: 5, limit: 4 });
    publisher.close().await;
}
