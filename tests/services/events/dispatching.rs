use std::{future::IntoFuture, time::Duration};

use kinoko::{DispatchError, Publisher, Settings, prelude::*};
use kinoko_tests::{Direction, Proxy, Raw, amqp_uri, free_ports, soon, unique};
use lapin::types::AMQPValue;
use serde_json::json;
use tokio::time::Instant;

/// A dispatcher, and a source of events of its own with a queue that listens to `placed`.
async fn listened(uri: &str) -> (EventDispatcher, String, Raw) {
    let (events, source, raw) =
        (EventDispatcher::connect(uri).await.unwrap(), unique("dispatching"), Raw::connect(&amqp_uri()).await);
    let first = soon("a confirm", events.dispatch_to(source.clone(), "placed", &json!(0)).into_future()).await.unwrap();
    assert!(!first.routed, "the exchange is there, and nothing else");
    raw.bound_queue(&source, &format!("{source}.events"), "placed").await;
    (events, source, raw)
}

async fn gone(raw: Raw, source: &str) {
    raw.delete_exchange(&format!("{source}.events")).await;
}

#[derive(Dependencies)]
struct Relay {
    events: EventDispatcher,
}

#[service(name = "dispatching_relay")]
impl Relay {
    #[rpc]
    async fn relay(&self, source: String, #[inject] cx: WorkerContext) -> kinoko::Result<Vec<String>> {
        let dispatched = self.events.dispatch_to(source, "placed", &json!({"order": 7})).message_id("one").await?;
        assert!(dispatched.routed);
        Ok(cx.call_id_stack())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn an_event_is_on_the_wire_as_nameko_sends_it() {
    let (events, source, raw) = listened(&amqp_uri()).await;
    events.dispatch_to(source.clone(), "placed", &json!({"order": 7})).message_id("one").await.unwrap();
    let (properties, body) = raw.next(&source).await;
    let expected = lapin::BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_delivery_mode(2)
        .with_priority(0)
        .with_message_id("one".into());
    assert_eq!((properties, &*body), (expected.clone(), &b"{\"order\":7}"[..]), "standalone: no header at all");

    let app = App::new().broker(amqp_uri()).service::<Relay>().start().await.unwrap();
    let relay = app.client::<RelayClient>();
    let stack = relay.relay(source.clone()).context("language", "de").header("x-own", 1).await.unwrap();
    let (properties, _) = raw.next(&source).await;
    let text = |text: &str| AMQPValue::LongString(text.into());
    let stack: Vec<_> = stack.iter().map(|id| text(id)).collect();
    let mut headers = lapin::types::FieldTable::default();
    headers.insert("nameko.call_id_stack".into(), AMQPValue::FieldArray(stack.into()));
    headers.insert("nameko.language".into(), text("de"));
    // Beside Nameko's there is the trace, as W3C writes it, and nothing else of kinoko's.
    let trace_parent = properties.headers().as_ref().and_then(|headers| headers.inner().get("traceparent"));
    let trace_parent = trace_parent.expect("a worker's event is part of its trace").clone();
    assert!(matches!(&trace_parent, AMQPValue::LongString(text) if text.as_bytes().len() == 55), "{trace_parent:?}");
    headers.insert("traceparent".into(), trace_parent);
    assert_eq!(properties, expected.with_headers(headers), "the worker's context, and nothing of its request");
    app.stop().await.unwrap();
    events.close().await;
    gone(raw, &source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn every_caller_is_told_what_became_of_its_own_event() {
    let (events, source, raw) = listened(&amqp_uri()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..400 {
        let (name, required) = (["placed", "unheard"][number % 2], number % 3 == 0);
        let dispatch = events.dispatch_to(source.clone(), name, &number);
        let dispatch = if required { dispatch.required() } else { dispatch };
        tasks.spawn(async move { (number, dispatch.await) });
    }
    while let Some(told) = soon("the confirms", tasks.join_next()).await {
        let (number, told) = told.unwrap();
        match (number % 2, number % 3, told) {
            (0, _, Ok(dispatched)) => assert!(dispatched.routed),
            (1, 1 | 2, Ok(dispatched)) => assert!(!dispatched.routed),
            (1, 0, Err(DispatchError::NoListener { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
    let unrouted = events.unrouted();
    let count = |name: &str| unrouted.iter().find(|event| &*event.name == name).map(|event| event.count);
    assert_eq!((count("placed"), count("unheard")), (Some(1), Some(200)), "the first one was before there was a queue");
    for _ in 0..200 {
        raw.next(&source).await;
    }
    events.close().await;
    gone(raw, &source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn an_event_whose_confirm_is_lost_is_sent_again_under_its_id() {
    let proxy = Proxy::to(&amqp_uri());
    let (events, source, raw) = listened(&proxy.uri(&amqp_uri())).await;
    proxy.hold(Direction::ToClients);
    let dispatch = events.dispatch_to(source.clone(), "placed", &json!(1));
    let waiting = tokio::spawn(dispatch.into_future());
    let (first, _) = raw.next(&source).await;
    assert!(!waiting.is_finished(), "nobody has heard of it");
    proxy.lose();
    let dispatched = soon("the dispatch", waiting).await.unwrap().unwrap();
    let (second, _) = raw.next(&source).await;
    assert!(dispatched.routed);
    let id = Some(&*dispatched.message_id);
    for properties in [first, second] {
        assert_eq!(properties.message_id().as_ref().map(|id| id.as_str()), id);
    }
    events.close().await;
    gone(raw, &source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_dispatch_waits_for_the_broker_and_not_for_ever() {
    let [port] = free_ports();
    let events = EventDispatcher::connect(&format!("amqp://guest:guest@127.0.0.1:{port}/")).await.unwrap();
    let began = Instant::now();
    let error = events.dispatch_to("dispatching", "placed", &json!(1)).timeout("300ms").await.unwrap_err();
    let DispatchError::Unavailable(text) = &error else { panic!("{error:?}") };
    assert!(
        text.starts_with(&format!("the broker at amqp://guest@127.0.0.1:{port}/%2F was not reachable in time: ")),
        "{text}"
    );
    assert!(!error.may_have_been_sent());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    events.close().await;

    let proxy = Proxy::to(&amqp_uri());
    let mut settings = Settings::default();
    settings.set("dispatch_timeout", "500ms");
    let (_, source, raw) = listened(&amqp_uri()).await;
    let events = EventDispatcher::connect_with(&proxy.uri(&amqp_uri()), &settings).await.unwrap();
    assert!(events.dispatch_to(source.clone(), "placed", &json!(1)).await.unwrap().routed);
    proxy.hold(Direction::ToClients);
    let error = events.dispatch_to(source.clone(), "placed", &json!(2)).await.unwrap_err();
    assert!(matches!(error, DispatchError::OutcomeUnknown(_)) && error.may_have_been_sent(), "{error:?}");
    for number in [b"1", b"2"] {
        assert_eq!(raw.next(&source).await.1, number, "as it was");
    }
    proxy.release();
    events.close().await;
    gone(raw, &source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn an_exchange_that_was_deleted_is_there_again_with_the_next_event() {
    let (events, source, raw) = listened(&amqp_uri()).await;
    raw.delete_exchange(&format!("{source}.events")).await;
    let dispatched = events.dispatch_to(source.clone(), "placed", &json!(1)).timeout("10s").await.unwrap();
    assert!(!dispatched.routed, "the binding went with it");
    raw.bound_queue(&unique("again"), &format!("{source}.events"), "placed").await;
    assert!(events.dispatch_to(source.clone(), "placed", &json!(2)).await.unwrap().routed);
    events.close().await;
    gone(raw, &source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_publisher_is_told_what_the_broker_refuses() {
    let (publisher, raw) = (Publisher::connect(&amqp_uri()).await.unwrap(), Raw::connect(&amqp_uri()).await);
    let full = unique("publishing.full");
    raw.declare_queue(
        &full,
        &[("x-max-length", 1.into()), ("x-overflow", AMQPValue::LongString("reject-publish".into()))],
    )
    .await;
    let publish = |number: u32| publisher.publish(&number).to_queue(full.clone()).timeout("200ms");
    assert!(publish(1).await.unwrap().routed);
    // RabbitMQ sees that a classic queue is full with the message after. Each is tried again until its time is over.
    let mut refused = 0;
    for number in 2..10 {
        match publish(number).await {
            Ok(_) => {}
            Err(DispatchError::Rejected(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(refused >= 7, "{refused}");
    raw.delete_queue(&full).await;
    assert_eq!(publish(1).await, Err(DispatchError::Unroutable { exchange: String::new(), routing_key: full.clone() }));
    publisher.close().await;
}
