//! Dispatching events: what is on the wire, what the caller is told, and by when.

use std::{
    future::IntoFuture,
    sync::Arc,
    time::{Duration, SystemTime},
};

use kinoko::{
    DispatchError, Event, RunningApp, Settings, Value, Verdict,
    event::{Action, EventName},
    prelude::*,
    protocol::Message,
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, body, captured_log, unique};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Placed {
    order: u64,
}

impl Event for Placed {
    const EVENT: EventName = EventName { source: "dispatching", name: "placed" };
}

#[derive(Serialize, Deserialize)]
struct Charged;

impl Event for Charged {
    const EVENT: EventName = EventName { source: "dispatching", name: "charged" };
    const REQUIRED: bool = true;
}

/// A listener that is no service: a queue, and what comes to it.
struct Listener {
    deliveries: Deliveries,
    _transport: Arc<dyn Transport>,
}

impl Listener {
    async fn to(broker: &str, source: &str, name: &str) -> Self {
        let transport = connect(broker, TransportOptions::default()).await.unwrap();
        let (exchange, queue) = (format!("{source}.events"), unique("listener"));
        let topology = Topology {
            exchanges: vec![Exchange::durable(exchange.clone(), ExchangeKind::Topic)],
            queues: vec![Queue::durable(queue.clone())],
            bindings: vec![Binding::new(exchange, queue.clone(), name.to_owned())],
        };
        transport.declare(topology).await.unwrap();
        let (sink, deliveries) = Deliveries::new();
        transport.consume(queue.into(), 100, sink).await.unwrap();
        Self { deliveries, _transport: transport }
    }

    async fn next(&self) -> Arc<Message> {
        self.deliveries.next_message().await
    }
}

fn broker() -> String {
    format!("memory://{}", unique("dispatching"))
}

#[tokio::test]
async fn an_event_is_on_the_wire_as_nameko_sends_it() {
    let broker = broker();
    let listener = Listener::to(&broker, "dispatching", "placed").await;
    let events = EventDispatcher::connect(&broker).await.unwrap();
    let dispatched = events.dispatch(&Placed { order: 7 }).await.unwrap();
    assert!(dispatched.routed);

    let message = listener.next().await;
    assert_eq!((&*message.exchange, &*message.routing_key), ("dispatching.events", "placed"));
    assert_eq!(body(&message), r#"{"order":7}"#);
    let properties = &message.properties;
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert_eq!(properties.content_encoding.as_deref(), Some("utf-8"));
    assert!(properties.persistent);
    assert_eq!(properties.priority, Some(0));
    assert_eq!(properties.message_id, Some(dispatched.message_id), "ours alone");
    assert!(properties.headers.is_empty(), "outside of a worker there is no context, not even a stack");
    let absent = (
        &properties.correlation_id,
        &properties.reply_to,
        properties.expiration,
        properties.timestamp_ms,
        &properties.kind,
        &properties.app_id,
        &properties.user_id,
    );
    assert_eq!(absent, (&None, &None, None, None, &None, &None, &None));
    events.close().await;
}

#[derive(Dependencies)]
struct Orders {
    events: EventDispatcher,
}

#[service(name = "dispatching")]
impl Orders {
    #[rpc]
    async fn place(&self, order: u64, #[inject] cx: WorkerContext) -> kinoko::Result<(Vec<String>, String)> {
        let dispatched = self.events.dispatch(&Placed { order }).await?;
        Ok((cx.call_id_stack(), dispatched.message_id.to_string()))
    }

    /// The worker is over before its task dispatches.
    #[rpc]
    fn place_later(&self, order: u64) {
        let dispatch = self.events.dispatch(&Placed { order });
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            dispatch.await.unwrap();
        });
    }

    #[rpc]
    fn place_outside(&self, order: u64) {
        let events = self.events.clone();
        tokio::spawn(async move { events.dispatch(&Placed { order }).await });
    }

    #[rpc]
    async fn slowly(&self, order: u64) -> kinoko::Result<()> {
        sleep(Duration::from_secs(2)).await;
        self.events.dispatch(&Placed { order }).await?;
        Ok(())
    }

    #[rpc]
    async fn charge(&self) -> Result<(), kinoko::Error> {
        self.events.dispatch(&Charged).await?;
        Ok(())
    }
}

async fn orders(broker: &str) -> (RunningApp, OrdersClient) {
    let app = App::new().broker(broker).service::<Orders>().start().await.unwrap();
    let client = app.client();
    (app, client)
}

#[tokio::test(start_paused = true)]
async fn a_dispatch_takes_its_workers_context_along_and_no_deadline() {
    let broker = broker();
    let listener = Listener::to(&broker, "dispatching", "placed").await;
    let (app, orders) = orders(&broker).await;
    let (stack, _) =
        orders.place(1).context("language", "de").context("tenant", 7).header("x-own", "stays").await.unwrap();
    let message = listener.next().await;
    let headers = |message: &Message| -> Vec<(String, Value)> {
        let headers = message.properties.headers.iter().filter(|(key, _)| **key != *"traceparent");
        headers.map(|(key, value)| (key.to_string(), value.clone())).collect()
    };
    let [caller, own] = &stack[..] else { panic!("{stack:?}") };
    assert_eq!(
        headers(&message),
        [
            ("nameko.language".to_owned(), json!("de")),
            ("nameko.tenant".to_owned(), json!(7)),
            ("nameko.call_id_stack".to_owned(), json!([caller, own])),
        ]
    );
    assert_eq!((message.properties.expiration, &message.properties.app_id), (None, &None));

    orders.place_later(2).context("language", "de").await.unwrap();
    let message = listener.next().await;
    assert_eq!(headers(&message)[0].1, "de", "made by the worker, wherever it is awaited");

    orders.place_outside(3).context("language", "de").await.unwrap();
    let message = listener.next().await;
    assert_eq!(body(&message), r#"{"order":3}"#);
    assert!(headers(&message).is_empty(), "{:?}", message.properties.headers);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_finishes_at_the_stop_can_still_dispatch() {
    let broker = broker();
    let listener = Listener::to(&broker, "dispatching", "placed").await;
    let (app, orders) = orders(&broker).await;
    let pending = orders.slowly(9).send().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let events = app.events();
    app.stop().await.unwrap();
    pending.await.unwrap();
    assert_eq!(body(&*listener.next().await), r#"{"order":9}"#);
    assert_eq!(events.dispatch(&Placed { order: 1 }).await, Err(DispatchError::Closed));
}

#[tokio::test]
async fn an_event_that_nobody_listens_to_is_counted_and_told_once() {
    captured_log();
    let (app, _) = orders(&broker()).await;
    let (events, name) = (app.events(), unique("unheard"));
    for _ in 0..3 {
        let dispatched = events.dispatch_to("dispatching", name.clone(), &json!({})).await.unwrap();
        assert!(!dispatched.routed);
    }
    events.dispatch(&Placed { order: 1 }).await.unwrap();
    let counts: Vec<_> = events.unrouted().iter().map(|event| (event.name.to_string(), event.count)).collect();
    assert_eq!(counts, [("placed".to_owned(), 1), (name.clone(), 3)]);
    let lines: Vec<_> = captured_log().lines().filter(|line| line.contains(&name)).map(str::to_owned).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("nobody listens to this event") && lines[0].contains("WARN"), "{lines:?}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_required_event_that_nobody_listens_to_is_an_error() {
    let (app, orders) = orders(&broker()).await;
    let error = app.events().dispatch(&Charged).await.unwrap_err();
    assert_eq!(error, DispatchError::NoListener { source: "dispatching".into(), event: "charged".into() });
    assert!(!error.may_have_been_sent());
    assert!(app.events().dispatch(&Placed { order: 1 }).required().await.is_err());
    assert_eq!(app.events().unrouted().len(), 2, "counted all the same");
    let CallError::Remote(fault) = orders.charge().await.unwrap_err() else { panic!("not remote") };
    assert_eq!(fault.value, "nobody listens to event `charged` of `dispatching`: no queue is bound for it");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_dispatch_says_goes_over_what_is_usual() {
    let broker = broker();
    let listener = Listener::to(&broker, "dispatching", "placed").await;
    let events = EventDispatcher::connect(&broker).await.unwrap();
    let dispatch = events
        .dispatch(&Placed { order: 7 })
        .header("x-kind", "test")
        .context("language", "de")
        .message_id("order-7")
        .priority(4);
    assert_eq!(dispatch.clone().await.unwrap().message_id, "order-7");
    assert_eq!(tokio::spawn(dispatch.into_future()).await.unwrap().unwrap().message_id, "order-7");
    for _ in 0..2 {
        let properties = &listener.next().await.properties;
        assert_eq!(properties.message_id.as_deref(), Some("order-7"));
        assert_eq!(properties.priority, Some(4));
        assert_eq!(properties.headers.get("x-kind"), Some(&json!("test")));
        assert_eq!(properties.headers.get("nameko.language"), Some(&json!("de")));
    }
    events.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_delayed_event_comes_when_it_is_due() {
    let broker = broker();
    let listener = Listener::to(&broker, "dispatching", "placed").await;
    let events = EventDispatcher::connect(&broker).await.unwrap();
    let started = Instant::now();
    for dispatch in [
        events.dispatch(&Placed { order: 3 }).at(SystemTime::now() + Duration::from_secs(600)),
        events.dispatch(&Placed { order: 1 }).after("5s"),
        events.dispatch(&Placed { order: 2 }).after(Duration::from_secs(60)),
        events.dispatch(&Placed { order: 0 }).at(SystemTime::UNIX_EPOCH),
    ] {
        assert!(dispatch.await.unwrap().routed);
    }
    assert_eq!(started.elapsed(), Duration::ZERO, "nobody waits for the delay but the broker");
    for (order, seconds) in [(0, 0), (1, 5), (2, 60), (3, 600)] {
        let delivery = listener.deliveries.wait().await;
        assert_eq!(body(delivery.message()), format!(r#"{{"order":{order}}}"#));
        delivery.ack();
        // The calendar of `at` does not stand still with the clock.
        let late = started.elapsed().abs_diff(Duration::from_secs(seconds));
        assert!(late < Duration::from_secs(5), "{order}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn what_can_never_be_sent_is_told_and_not_tried() {
    let mut settings = Settings::default();
    settings.set("max_body_bytes", 20);
    let events = EventDispatcher::connect_with("memory://", &settings).await.unwrap();
    let keyed = std::collections::BTreeMap::from([((1, 2), 3)]);
    let placed = || events.dispatch(&Placed { order: 1 });
    let cases = [
        (
            placed().after("5 parsecs"),
            "it cannot be sent as it is: `5 parsecs` is no duration: unknown unit `parsecs`; \
            write `2s`, `150ms` or `1m 30s` (units: ns, us, ms, s, m, h, d)",
        ),
        (
            placed().timeout("soon"),
            "it cannot be sent as it is: `soon` is no duration; \
            write `2s`, `150ms` or `1m 30s` (units: ns, us, ms, s, m, h, d)",
        ),
        (
            placed().message_id("i".repeat(256)),
            "it cannot be sent as it is: the message id is 256 bytes long, AMQP allows 255",
        ),
        (
            placed().message_id(""),
            "it cannot be sent as it is: an empty message id tells it from no other: leave it out, and it is given one",
        ),
        (
            placed().after("400d"),
            "it cannot be sent as it is: a delay of 400 days is too long, brokers keep a message for at most 24: \
            keep it in a database",
        ),
        (
            events.dispatch_to("dispatching", "", &()),
            "it cannot be sent as it is: an event has a source and a name, and one of them is empty",
        ),
        (
            events.dispatch_to("dispatching", "n".repeat(256), &()),
            "it cannot be sent as it is: the routing key is 256 bytes long, AMQP allows 255",
        ),
        (
            events.dispatch_to("dispatching", "large", &"x".repeat(40)),
            "not sent: 42 bytes, the limit is 20 (max_body_bytes)",
        ),
        (events.dispatch_to("dispatching", "keyed", &keyed), "the payload cannot be encoded: key must be a string"),
    ];
    for (dispatch, text) in cases {
        let error = dispatch.await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(!error.may_have_been_sent());
        assert_eq!(Verdict::from(error).action(), Action::DeadLetter, "another attempt cannot help");
    }
    assert_eq!(Verdict::from(DispatchError::Closed).action(), Action::Retry);
    events.close().await;
}

#[tokio::test]
async fn many_events_are_dispatched_in_one_go() {
    let broker = broker();
    let listener = Listener::to(&broker, "dispatching", "placed").await;
    let events = EventDispatcher::connect(&broker).await.unwrap();
    let placed: Vec<_> = (0..1000).map(|order| Placed { order }).collect();
    let told = events.dispatch_all(&placed).await;
    assert_eq!(told.len(), placed.len());
    for (number, dispatched) in told.into_iter().enumerate() {
        let message = listener.next().await;
        assert_eq!(body(&message), format!(r#"{{"order":{number}}}"#), "in memory in order");
        assert_eq!(message.properties.message_id, Some(dispatched.unwrap().message_id));
    }
    events.close().await;
}

#[tokio::test]
async fn a_serializer_goes_for_events_too() {
    let broker = broker();
    let listener = Listener::to(&broker, "dispatching", "placed").await;
    let mut settings = Settings::default();
    settings.set("serializer", "msgpack");
    let events = EventDispatcher::connect_with(&broker, &settings).await.unwrap();
    events.dispatch(&Placed { order: 1 }).await.unwrap();
    let properties = &listener.next().await.properties;
    assert_eq!(properties.content_type.as_deref(), Some("application/x-msgpack"));
    assert_eq!(properties.content_encoding.as_deref(), Some("binary"));
    settings.set("dispatch_timeout", "0s");
    let error = EventDispatcher::connect_with(&broker, &settings).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting `dispatch_timeout` (from the program): `0s` would send nothing; leave it out for `30s`"
    );
}

#[tokio::test]
async fn a_test_looks_at_what_its_service_dispatched() {
    let (events, recorded) = EventDispatcher::recording();
    let orders = OrdersClient::from_service(Orders { events: events.clone() });
    orders.place(7).await.unwrap();
    events.dispatch(&Charged).after("5m").await.unwrap();
    assert_eq!(recorded.events::<Placed>().unwrap(), [Placed { order: 7 }]);
    let all = recorded.all();
    assert_eq!(all.len(), 2);
    assert!(all[1].delay > Duration::from_secs(299), "{:?}", all[1].delay);

    recorded.nobody_listens();
    let CallError::Remote(fault) = orders.charge().await.unwrap_err() else { panic!("not remote") };
    assert!(fault.value.starts_with("nobody listens to event `charged`"), "{fault}");
    assert_eq!(recorded.events::<Charged>().unwrap().len(), 2);

    events.dispatch_to("dispatching", "placed", &json!({"other": 1})).await.unwrap();
    let error = recorded.events::<Placed>().unwrap_err();
    assert_eq!(error.to_string(), "event `placed` of `dispatching` cannot be read: missing field `order`");
}

#[test]
fn errors_say_what_became_of_the_message() {
    let unroutable = |exchange: &str| DispatchError::Unroutable { exchange: exchange.into(), routing_key: "k".into() };
    for (error, text, may_have_been_sent) in [
        (DispatchError::Rejected("a queue is full".into()), "not taken: a queue is full", true),
        (DispatchError::OutcomeUnknown("the connection was lost".into()), "sent or not: the connection was lost", true),
        (DispatchError::Unavailable("the broker is away".into()), "not sent: the broker is away", false),
        (DispatchError::Refused("no permission".into()), "not allowed: no permission", false),
        (DispatchError::Closed, "not sent: the connection was closed by this program", false),
        (DispatchError::NoExchange("there is no exchange `e`".into()), "not sent: there is no exchange `e`", false),
        (unroutable("e"), "exchange `e` leads to no queue for routing key `k`", false),
        (unroutable(""), "no queue `k`", false),
    ] {
        assert_eq!((error.to_string().as_str(), error.may_have_been_sent()), (text, may_have_been_sent));
    }
}
