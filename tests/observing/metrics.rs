//! kinoko's own metrics, with nothing written for them.

use std::{sync::Arc, time::Duration};

use kinoko::{RunningApp, prelude::*};
use kinoko_tests::eventually;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::scrape::{get, scrape, settings};

#[derive(Debug, thiserror::Error, ServiceError)]
enum Trouble {
    #[error("foreseen")]
    Foreseen,
    #[error("unforeseen")]
    Unforeseen,
}

#[derive(Clone)]
struct Gate(Arc<Semaphore>);

impl Dependency for Gate {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self(Arc::new(Semaphore::new(0))))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[event(source = "measured", name = "happened")]
struct Happened {
    fails: bool,
}

#[derive(Dependencies)]
struct Measured {
    gate: Gate,
    itself: MeasuredClient,
    events: EventDispatcher,
}

#[service(name = "measured", max_workers = 3)]
impl Measured {
    #[rpc(expected(Trouble::Foreseen))]
    fn end(&self, how: &str) -> Result<(), Trouble> {
        match how {
            "foreseen" => Err(Trouble::Foreseen),
            "unforeseen" => Err(Trouble::Unforeseen),
            "panic" => panic!("so it ended"),
            _ => Ok(()),
        }
    }

    #[rpc(timeout = "50ms")]
    async fn hang(&self) {
        std::future::pending().await
    }

    #[rpc]
    async fn hold(&self) {
        self.gate.0.acquire().await.unwrap().forget();
    }

    #[rpc]
    fn open(&self, count: usize) {
        self.gate.0.add_permits(count);
    }

    #[rpc]
    async fn call_on(&self, how: String) -> bool {
        self.itself.end(&how).await.is_ok()
    }

    #[rpc]
    async fn tell(&self, fails: bool) -> kinoko::Result<()> {
        self.events.dispatch(&Happened { fails }).await?;
        Ok(())
    }

    #[event_handler(Happened, retry(max = 3, backoff = "1ms"))]
    fn on_happened(&self, event: Happened) -> kinoko::Result<()> {
        if event.fails { Err(kinoko::Error::msg("it never works")) } else { Ok(()) }
    }

    #[http(GET, "/pages/{id}")]
    #[http(GET, "/page/{id}")]
    fn page(&self, id: u32) -> u32 {
        id
    }
}

async fn start(yaml: &str) -> (RunningApp, MeasuredClient) {
    let app = App::new().service::<Measured>().settings(settings(yaml)).start().await.unwrap();
    let client = app.client();
    (app, client)
}

fn worker(metric: &str, method: &str, kind: &str, more: &str) -> String {
    format!("{metric}{{service=\"measured\",method=\"{method}\",entrypoint=\"{kind}\"{more}}}")
}

fn workers(method: &str, kind: &str, outcome: &str) -> String {
    worker("kinoko_workers_total", method, kind, &format!(",outcome=\"{outcome}\""))
}

#[tokio::test]
async fn workers_and_calls_are_counted_by_how_they_ended() {
    let (app, client) = start("{}").await;
    for how in ["well", "well", "foreseen", "unforeseen", "panic"] {
        let _ = client.end(how).await;
    }
    client.hang().await.unwrap_err();
    app.proxy().call("measured", "end").arg(7).await.unwrap_err();
    client.call_on("well".to_owned()).await.unwrap();
    let scrape = scrape(&app).await;
    assert_eq!(scrape.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for (method, outcome, count) in [
        ("end", "ok", 3.0),
        ("end", "expected_error", 1.0),
        ("end", "unexpected_error", 2.0),
        ("end", "rejected", 1.0),
        ("end", "timeout", 0.0),
        ("hang", "timeout", 1.0),
        ("call_on", "ok", 1.0),
    ] {
        assert_eq!(scrape.value(&workers(method, "rpc", outcome)), Some(count), "{method} {outcome}\n{}", scrape.text);
    }
    let durations = worker("kinoko_worker_duration_seconds_count", "end", "rpc", "");
    assert_eq!(scrape.value(&durations), Some(7.0));
    let call =
        |outcome| format!("kinoko_client_calls_total{{service=\"measured\",method=\"end\",outcome=\"{outcome}\"}}");
    let calls = ["ok", "expected_error", "unexpected_error", "rejected"].map(|outcome| scrape.value(&call(outcome)));
    // A panic is no error of the client's type. What the proxy calls counts where a client declares the method.
    assert_eq!(calls, [Some(3.0), Some(2.0), Some(1.0), Some(1.0)]);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn names_that_nobody_declared_are_one() {
    let (app, client) = start("{}").await;
    for number in 0..50 {
        let _ = app.proxy().call("measured", format!("method_{number}")).await;
        let _ = app.proxy().call(format!("service_{number}"), "method").await;
    }
    client.end("well").await.unwrap();
    let scrape = scrape(&app).await;
    assert_eq!(scrape.value(&workers("other", "rpc", "rejected")), Some(50.0));
    let other = "kinoko_client_calls_total{service=\"other\",method=\"other\",outcome=\"rejected\"}";
    assert_eq!(scrape.value(other), Some(100.0));
    assert!(!scrape.text.contains("method_4") && !scrape.text.contains("service_4"), "{}", scrape.text);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn slots_and_waits_are_seen_while_they_last() {
    let (app, client) = start("grace_period: 100ms").await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(client.hold().send().await.unwrap());
    }
    let in_flight = worker("kinoko_workers_in_flight", "hold", "rpc", "");
    // As many as there are slots are delivered at once; the others wait in the queue.
    let seen = eventually(Duration::from_secs(10), "three are there", || async {
        let scrape = scrape(&app).await;
        (scrape.value(&in_flight) == Some(3.0)).then_some(scrape)
    })
    .await;
    assert_eq!(seen.value("kinoko_workers_busy{service=\"measured\"}"), Some(3.0));
    assert_eq!(seen.value("kinoko_workers_max{service=\"measured\"}"), Some(3.0));
    assert_eq!(seen.value("kinoko_pending_replies"), Some(5.0));
    drop(held);
    app.stop().await.ok();
}

#[tokio::test]
async fn messages_that_fail_are_counted_as_retries_and_dead_letters() {
    let (app, client) = start("{}").await;
    client.tell(false).await.unwrap();
    client.tell(true).await.unwrap();
    let dead = worker("kinoko_dead_letters_total", "on_happened", "event", "");
    let seen = eventually(Duration::from_secs(10), "a dead letter", || async {
        let scrape = scrape(&app).await;
        (scrape.value(&dead) == Some(1.0)).then_some(scrape)
    })
    .await;
    let count = |metric: &str| seen.value(&worker(metric, "on_happened", "event", ""));
    assert_eq!(count("kinoko_retries_total"), Some(2.0));
    assert_eq!(seen.value(&workers("on_happened", "event", "unexpected_error")), Some(3.0));
    assert_eq!(seen.value(&workers("on_happened", "event", "ok")), Some(1.0));
    assert_eq!(seen.value("kinoko_published_total{outcome=\"confirmed\"}"), Some(2.0));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn requests_are_counted_and_so_is_what_is_refused_before_a_worker() {
    let (app, _) = start("{}").await;
    let address = app.http_address().unwrap();
    get(address, "/pages/7", "*/*").await;
    let bad = tokio::task::spawn(async move { get(address, "/pages/seven", "*/*").await }).await;
    assert!(bad.is_err(), "422");
    let scrape = scrape(&app).await;
    let pages = |route: &str, outcome: &str| {
        let more = format!(",route=\"GET {route}\",outcome=\"{outcome}\"");
        scrape.value(&worker("kinoko_workers_total", "page", "http", &more))
    };
    assert_eq!(pages("/pages/{id}", "ok"), Some(1.0));
    assert_eq!(pages("/pages/{id}", "rejected"), Some(1.0));
    assert_eq!(pages("/page/{id}", "ok"), Some(0.0), "each route counts for itself");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_slow_bucket_names_a_trace() {
    let (app, client) = start("{}").await;
    client.end("well").await.unwrap();
    let open = scrape(&app).await;
    let exemplars: Vec<_> = open.lines("kinoko_worker_duration_seconds_bucket{service=\"measured\",method=\"end\"");
    let exemplar = exemplars.iter().find_map(|line| line.split_once(" # {trace_id=\"")).unwrap().1;
    let trace_id = exemplar.split('"').next().unwrap();
    assert!(trace_id.len() == 32 && trace_id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{exemplar}");
    let plain = get(app.ops_address().unwrap(), "/metrics", "*/*").await;
    assert_eq!(plain.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!plain.text.contains(" # {") && !plain.text.contains("# EOF"), "the older format has none");
    app.stop().await.unwrap();
    let (app, client) = start("traces: {sample: 0}").await;
    client.end("well").await.unwrap();
    assert!(!scrape(&app).await.text.contains("trace_id"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn the_process_and_the_build_are_told() {
    let (app, _) = start("{}").await;
    let scrape = scrape(&app).await;
    assert_eq!(scrape.lines("kinoko_build_info{version=\"").len(), 1);
    assert_eq!(scrape.value("kinoko_broker_connected"), Some(1.0));
    assert_eq!(scrape.value("kinoko_broker_reconnects_total"), Some(0.0));
    assert!(scrape.value("process_start_time_seconds").unwrap() > 1.7e9);
    #[cfg(target_os = "linux")]
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_threads"] {
        assert!(scrape.value(name).unwrap() >= 1.0, "{name}");
    }
    #[cfg(target_os = "linux")]
    assert!(scrape.value("process_cpu_seconds_total").unwrap() > 0.0);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn buckets_are_a_setting_and_metrics_can_be_left_out() {
    let (app, client) = start("metrics: {buckets: [0.5, 10]}").await;
    client.end("well").await.unwrap();
    let scrape = scrape(&app).await;
    let bucket = |le| worker("kinoko_worker_duration_seconds_bucket", "end", "rpc", &format!(",le=\"{le}\""));
    assert_eq!(["0.5", "10.0", "+Inf"].map(|le| scrape.value(&bucket(le))), [Some(1.0); 3]);
    app.stop().await.unwrap();
    for (buckets, said) in [
        ("[]", "1 to 100 buckets"),
        ("[1, 1]", "have to ascend"),
        ("[0]", "greater than 0"),
        ("[-1]", "greater than 0"),
    ] {
        let settings = settings(&format!("metrics: {{buckets: {buckets}}}"));
        let error = App::new().service::<Measured>().settings(settings).start().await.unwrap_err();
        assert!(error.to_string().contains("metrics.buckets") && error.to_string().contains(said), "{error}");
    }
    let (app, _) = start("metrics: {enabled: false}").await;
    let address = app.ops_address().unwrap();
    assert!(tokio::spawn(async move { get(address, "/metrics", "*/*").await }).await.is_err(), "404");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn every_family_is_told_with_help_and_type_before_its_series() {
    let (app, client) = start("{}").await;
    client.end("well").await.unwrap();
    let text = scrape(&app).await.text;
    let mut families = std::collections::BTreeSet::new();
    let mut family = String::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        match line.strip_prefix("# HELP ") {
            Some(help) => {
                family = help.split(' ').next().unwrap().to_owned();
                assert!(families.insert(family.clone()), "{family} comes twice");
            }
            None => assert!(line.trim_start_matches("# TYPE ").starts_with(&family), "{line} is not of {family}"),
        }
    }
    // What the reference lists is there.
    for (name, has) in [("kinoko_workers", true), ("kinoko_worker_queue_seconds", true), ("kinoko_nothing", false)] {
        assert_eq!(families.contains(name), has, "{families:?}");
    }
    assert_eq!(json!(families.len()), json!(text.matches("# TYPE ").count()));
    app.stop().await.unwrap();
}
