//! One trace over everything that one cause brought about, sent to a collector.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use kinoko::{App, RunningApp, prelude::*};
use kinoko_tests::{Collected, Collector};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde::{Deserialize, Serialize};

use crate::scrape::{get, settings};

#[derive(Dependencies)]
struct Front {
    orders: TracedOrdersClient,
}

#[service(name = "traced_front")]
impl Front {
    #[http(GET, "/buy/{id}")]
    async fn buy(&self, id: u64) -> kinoko::Result<u64> {
        Ok(self.orders.place(id).await?)
    }
}

#[event(source = "traced_orders", name = "placed")]
#[derive(Serialize, Deserialize)]
struct Placed {
    id: u64,
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum NoStock {
    #[error("none left")]
    NoneLeft,
}

#[derive(Dependencies)]
struct TracedOrders {
    events: EventDispatcher,
}

#[service(name = "traced_orders")]
impl TracedOrders {
    #[rpc]
    async fn place(&self, id: u64) -> kinoko::Result<u64> {
        self.events.dispatch(&Placed { id }).await?;
        Ok(id)
    }

    #[rpc(expected(NoStock::NoneLeft))]
    fn refuse(&self) -> Result<(), NoStock> {
        Err(NoStock::NoneLeft)
    }

    #[rpc]
    fn panic(&self) {
        panic!("at the worst time");
    }
}

/// What an event leaves for the timer.
#[derive(Clone)]
struct Left(Arc<Mutex<Vec<(u64, String)>>>);

impl Dependency for Left {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self(Arc::default()))
    }
}

#[derive(Dependencies)]
struct Shipping {
    left: Left,
    labels: TracedLabelsClient,
}

#[service(name = "traced_shipping")]
impl Shipping {
    #[event_handler(Placed)]
    fn on_placed(&self, event: Placed, #[inject] cx: WorkerContext) {
        self.left.0.lock().unwrap().push((event.id, cx.trace_parent().unwrap()));
    }

    #[timer(every = "20ms")]
    async fn ship(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        let left = self.left.0.lock().unwrap().pop();
        if let Some((id, trace_parent)) = left {
            assert!(cx.continue_trace(&trace_parent));
            assert!(!cx.continue_trace(&trace_parent), "once");
            self.labels.print(id).await?;
        }
        Ok(())
    }
}

#[derive(Dependencies)]
struct TracedLabels;

#[service(name = "traced_labels")]
impl TracedLabels {
    #[rpc]
    fn print(&self, id: u64) -> u64 {
        id
    }

    #[event_handler(source = "traced_many", event = "one", batch = 3, within = "10s")]
    fn many(&self, events: Vec<u64>) {
        assert_eq!(events.len(), 3);
    }
}

async fn start(collector: &Collector, yaml: &str) -> RunningApp {
    let mut settings = settings(yaml);
    settings.set("otel.endpoint", collector.endpoint());
    settings.set("otel.interval", "50ms");
    let app = App::new().service::<Front>().service::<TracedOrders>().service::<Shipping>().service::<TracedLabels>();
    app.version("1.2.3").settings(settings).start().await.unwrap()
}

fn by_name<'a>(spans: &'a [Collected], trace_id: &str) -> BTreeMap<(&'a str, &'a str, i32), &'a Collected> {
    let of_trace = spans.iter().filter(|collected| collected.trace_id() == trace_id);
    of_trace.map(|found| ((&*found.service, &*found.span.name, found.span.kind), found)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_over_http_rpc_event_timer_and_rpc() {
    let collector = Collector::start().await;
    let app = start(&collector, "otel: {resource: {deployment.environment.name: test}}").await;
    get(app.http_address().unwrap(), "/buy/7", "*/*").await;
    let spans = collector.until("traced_labels", "traced_labels/print", 1).await;
    let last = spans.iter().find(|collected| collected.service == "traced_labels").unwrap();
    let trace_id = last.trace_id();
    app.stop().await.unwrap();
    let spans = collector.spans();
    let spans = by_name(&spans, &trace_id);
    let (server, client) = (SpanKind::Server as i32, SpanKind::Client as i32);
    let chain = [
        ("traced_front", "GET /buy/{id}", server),
        ("traced_front", "traced_orders/place", client),
        ("traced_orders", "traced_orders/place", server),
        ("traced_orders", "send traced_orders.events placed", SpanKind::Producer as i32),
        ("traced_shipping", "traced_shipping/on_placed", SpanKind::Consumer as i32),
        ("traced_shipping", "traced_shipping/ship", SpanKind::Internal as i32),
        ("traced_shipping", "traced_labels/print", client),
        ("traced_labels", "traced_labels/print", server),
    ];
    let mut parent: Option<&Collected> = None;
    for link in chain {
        let found = spans.get(&link).unwrap_or_else(|| panic!("{link:?} is not in {:?}", spans.keys()));
        let expected = parent.map_or_else(Vec::new, |parent| parent.span.span_id.clone());
        assert_eq!(found.span.parent_span_id, expected, "{link:?}");
        assert!(found.span.end_time_unix_nano >= found.span.start_time_unix_nano);
        parent = Some(found);
    }
    assert_eq!(spans.len(), chain.len());
    let said = |link: usize, key: &str| spans[&chain[link]].attribute(key);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!([said(0, "http.request.method"), said(0, "http.route")], [text("GET"), text("/buy/{id}")]);
    assert_eq!(said(0, "http.response.status_code"), text("200"));
    assert_eq!([said(2, "rpc.service"), said(2, "rpc.method")], [text("traced_orders"), text("place")]);
    assert_eq!(
        [said(3, "messaging.operation.type"), said(4, "messaging.operation.type")],
        [text("send"), text("process")]
    );
    assert_eq!(said(3, "messaging.destination.name"), text("traced_orders.events"));
    assert_eq!(said(3, "messaging.message.id"), said(4, "messaging.message.id"));
    assert!(said(4, "kinoko.call_id").unwrap().starts_with("traced_shipping.on_placed."));
    assert_eq!(spans[&chain[0]].resource("deployment.environment.name"), text("test"));
    assert_eq!(spans[&chain[0]].resource("service.version"), text("1.2.3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_says_how_it_ended() {
    let collector = Collector::start().await;
    let app = start(&collector, "otel: {headers: {authorization: Bearer collector-token}}").await;
    let orders = app.client::<TracedOrdersClient>();
    orders.refuse().await.unwrap_err();
    orders.panic().await.unwrap_err();
    app.stop().await.unwrap();
    let spans = collector.spans();
    let find = |name: &str, kind: SpanKind| {
        spans.iter().find(|found| found.span.name == name && found.span.kind == kind as i32).unwrap()
    };
    let code = |found: &Collected| found.span.status.as_ref().map_or(0, |status| status.code);
    // 0: unset, 2: error.
    for (name, kind, expected, outcome, error) in [
        ("traced_orders/refuse", SpanKind::Server, 0, "expected_error", "NONE_LEFT"),
        ("traced_orders/refuse", SpanKind::Client, 2, "expected_error", "expected_error"),
        ("traced_orders/panic", SpanKind::Server, 2, "unexpected_error", "Panic"),
        ("traced_orders/panic", SpanKind::Client, 2, "unexpected_error", "unexpected_error"),
    ] {
        let found = find(name, kind);
        assert_eq!(code(found), expected, "{found:?}");
        assert_eq!(found.attribute("kinoko.outcome").as_deref(), Some(outcome), "{name}");
        assert_eq!(found.attribute("error.type").as_deref(), Some(error), "{name}");
        assert_eq!(found.authorization.as_deref(), Some("Bearer collector-token"));
    }
    assert!(!format!("{spans:?}").contains("at the worst time"), "a text may hold what no collector may have");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_trace_goes_on_and_its_word_on_sampling_holds() {
    let collector = Collector::start().await;
    let app = start(&collector, "{}").await;
    for flags in ["01", "00"] {
        let trace_parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let address = app.http_address().unwrap();
        crate::scrape::ask(address, "/buy/8", &[("traceparent", &trace_parent)]).await;
    }
    collector.until("traced_front", "GET /buy/{id}", 1).await;
    app.stop().await.unwrap();
    let spans = collector.spans();
    let doors: Vec<_> = spans.iter().filter(|found| found.span.name == "GET /buy/{id}").collect();
    assert_eq!(doors.len(), 1, "one was not sampled by who began it");
    assert_eq!(doors[0].trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(doors[0].span.parent_span_id, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_linked_to_what_it_came_from() {
    let collector = Collector::start().await;
    let app = start(&collector, "{}").await;
    for number in 0..3 {
        app.events().dispatch_to("traced_many", "one", &number).await.unwrap();
    }
    let spans = collector.until("traced_labels", "traced_labels/many", 1).await;
    let batch = spans.iter().find(|found| found.span.name == "traced_labels/many").unwrap();
    let mut linked: Vec<_> = batch.span.links.iter().map(|link| link.span_id.clone()).collect();
    let sent = spans.iter().filter(|found| found.span.name == "send traced_many.events one");
    let mut sent: Vec<_> = sent.map(|found| found.span.span_id.clone()).collect();
    linked.sort();
    sent.sort();
    assert_eq!((linked.len(), linked), (3, sent));
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_traces_are_sampled_and_nothing_is_sent_where_nothing_is_traced() {
    let collector = Collector::start().await;
    let app = start(&collector, "traces: {limit: 2}").await;
    for _ in 0..40 {
        app.client::<TracedLabelsClient>().print(1).await.unwrap();
    }
    app.stop().await.unwrap();
    let calls = |spans: &[Collected]| {
        let ids: std::collections::BTreeSet<_> =
            spans.iter().filter(|found| found.span.name == "traced_labels/print").map(Collected::trace_id).collect();
        ids.len()
    };
    let sampled = calls(&collector.spans());
    // The timer takes its share, too.
    assert!(sampled < 20, "{sampled}");
    let silent = Collector::start().await;
    let app = start(&silent, "traces: {sample: 0}").await;
    app.client::<TracedLabelsClient>().print(1).await.unwrap();
    app.stop().await.unwrap();
    assert_eq!(silent.spans().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_nobody_up() {
    let [port] = kinoko_tests::free_ports::<1>();
    let mut settings = settings("{}");
    settings.set("otel.endpoint", format!("http://127.0.0.1:{port}"));
    settings.set("otel.queue", 4);
    let app = App::new().service::<TracedLabels>().settings(settings).start().await.unwrap();
    for _ in 0..50 {
        app.client::<TracedLabelsClient>().print(1).await.unwrap();
    }
    kinoko_tests::soon("the stop", app.stop()).await.unwrap();
}

#[tokio::test]
async fn settings_that_make_no_sense_end_the_start() {
    for (yaml, said) in [
        ("otel: {endpoint: 'localhost:4317'}", "begins with `http://`"),
        ("otel: {endpoint: 'http://x', interval: 0s}", "more than `0s`"),
        ("otel: {endpoint: 'http://x', queue: 0}", "0 would send nothing"),
        ("otel: {endpoint: 'http://x', headers: {'a b': c0ntent}}", "`a b` cannot be a header"),
        ("traces: {sample: 2}", "a share is from 0"),
        ("traces: {kept: 100000000}", "too many"),
    ] {
        let app = App::new().service::<TracedLabels>().settings(settings(yaml)).start().await;
        let error = app.unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("c0ntent"), "{error}");
    }
}
