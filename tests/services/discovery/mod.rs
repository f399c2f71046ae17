//! Programs that find each other over the broker: in memory, and over RabbitMQ.

mod asker;
mod commands;
mod hostile;
mod permissions;

use std::time::Duration;

use kinoko::{
    CallError, Settings,
    prelude::*,
    resilience::{Class, Policy},
};
use kinoko_tests::{Proxy, Python, amqp_uri, eventually, unique};
use serde_json::{Value, json};

use self::asker::Asker;

/// What must come soon, on a machine that is busy with something else.
const SOON: Duration = Duration::from_secs(20);

/// Makes each a test for the in-memory broker and one for RabbitMQ.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(format!("memory://{}", kinoko_tests::unique("discovery"))).await;
            })*
        }
        mod amqp {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
            async fn $test() {
                super::$test(kinoko_tests::amqp_uri()).await;
            })*
        }
    };
}
use on_both;

on_both! {
    a_program_answers_what_it_is,
    a_question_reaches_whom_it_is_for,
    an_unknown_service_is_known_by_what_others_run,
    who_comes_late_knows_who_was_there,
    a_program_can_be_left_alone,
    discovery_waits_for_nobody,
}

#[derive(Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Line {
    sku: String,
    count: u32,
}

#[derive(Dependencies)]
struct Stock {
    #[dependency(name = "mill", breaker)]
    mill: Policy,
}

/// Keeps things.
///
/// In more than one line.
#[service(name = "stock_of_discovery", max_workers = 7)]
impl Stock {
    /// Takes some away.
    #[rpc(sensitive(pin))]
    fn reserve(&self, line: Line, #[default("hunter2")] pin: String) -> u32 {
        line.count + u32::try_from(pin.len()).unwrap_or_default()
    }

    #[rpc]
    async fn explode(&self) -> kinoko::Result<()> {
        let grind = || async { Err::<(), _>("no powder") };
        self.mill.run_with(|_| Class::FAILURE, grind).await.map_err(|_| kinoko::Error::msg("no powder"))
    }

    #[event_handler("discovery_orders", "placed")]
    async fn on_placed(&self, line: Line) {
        drop(line);
    }

    #[timer(every = "1h")]
    fn sweep(&self) {}
}

#[derive(Dependencies)]
struct Till {
    #[dependency(name = "drawer", timeout = "1s")]
    drawer: Policy,
}

#[service(name = "till_of_discovery")]
impl Till {
    #[rpc]
    async fn open(&self) {
        self.drawer.run_with(|_: &()| Class::FAILURE, || async { Ok(()) }).await.ok();
    }
}

async fn a_program_answers_what_it_is(broker: String) {
    let app = App::new().service::<Stock>().service::<Till>().version("1.2.3").broker(&broker).start().await.unwrap();
    let asker = Asker::connect(&broker).await;
    let ping = asker.one("ping.stock_of_discovery").await;
    let instance = ping["instance"].as_str().unwrap().to_owned();
    assert_eq!(ping["type"], "kinoko.ping");
    assert_eq!(
        (&ping["version"], &ping["ready"], &ping["pid"]),
        (&json!("1.2.3"), &json!(true), &json!(std::process::id()))
    );
    assert_eq!(ping["services"], json!([{"name": "stock_of_discovery", "busy_workers": 0, "max_workers": 7}]));
    for key in ["program", "kinoko", "started_at"] {
        assert!(ping[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {ping}");
    }

    let info = asker.one(&format!("info.stock_of_discovery.{instance}")).await;
    assert_eq!((&info["type"], &info["instance"]), (&json!("kinoko.info"), &json!(instance)));
    let [described] = info["services"].as_array().unwrap().as_slice() else { panic!("{info}") };
    assert_eq!(described["doc"], "Keeps things.\n\nIn more than one line.");
    let entrypoints = described["entrypoints"].as_array().unwrap();
    let kinds: Vec<_> = entrypoints.iter().map(|entrypoint| entrypoint["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["rpc", "rpc", "event", "timer"]);
    let reserve = &entrypoints[0];
    assert_eq!(reserve["signature"], "reserve(line: Line, pin: String = ***) -> u32");
    // References lead within the answer.
    let reference = reserve["params"][0]["schema"]["$ref"].as_str().unwrap();
    let line = info.pointer(reference.trim_start_matches('#')).unwrap();
    assert_eq!(line["required"], json!(["sku", "count"]));
    assert_eq!(reserve["returns_schema"]["minimum"], 0);
    assert!(entrypoints[2]["payload_schema"]["$ref"].is_string(), "{info}");
    assert!(!info.to_string().contains("hunter2"), "the default of a sensitive argument");

    let stock = app.client::<StockClient>();
    for _ in 0..3 {
        stock.reserve(Line { sku: "CUP".into(), count: 2 }, "1234".into()).await.unwrap();
    }
    app.proxy().call("stock_of_discovery", "reserve").arg(7).await.unwrap_err();
    app.proxy().call("stock_of_discovery", "explode").await.unwrap_err();
    let stats = asker.one("stats.stock_of_discovery").await;
    assert_eq!((&stats["type"], &stats["instance"]), (&json!("kinoko.stats"), &json!(instance)));
    assert_eq!(stats["broker"]["state"], "connected");
    assert!(!stats["broker"]["address"].as_str().unwrap().contains("guest:"), "{stats}");
    assert_eq!(stats["pending_calls"], 0);
    let counted = stats["services"][0]["entrypoints"].as_array().unwrap();
    let of = |method: &str| counted.iter().find(|entrypoint| entrypoint["method"] == method).unwrap();
    let reserve = of("reserve");
    assert_eq!((&reserve["ended"]["ok"], &reserve["ended"]["rejected"]), (&json!(3), &json!(1)));
    assert_eq!(reserve["duration"]["count"], 4);
    let explode = of("explode");
    assert_eq!((&explode["ended"]["unexpected_error"], &explode["in_flight"]), (&json!(1), &json!(0)));
    let failure = &explode["last_failure"];
    assert!(failure["call_id"].as_str().unwrap().starts_with("stock_of_discovery.explode."), "{failure}");
    assert!(failure["text"].as_str().unwrap().contains("no powder"), "{failure}");
    // Of the service that was asked for, and not those of others in the program.
    let policies = |stats: &Value| {
        let mut policies = stats["policies"].as_array().unwrap().clone();
        policies.retain(|policy| policy["service"].as_str().unwrap().ends_with("_of_discovery"));
        policies
    };
    let [mill] = policies(&stats).try_into().unwrap();
    assert_eq!((&mill["name"], &mill["state"], &mill["opened"]), (&json!("mill"), &json!("closed"), &json!(0)));
    assert_eq!((&mill["ended"]["failure"], &mill["ended"]["success"]), (&json!(1), &json!(0)), "{mill}");
    let of_till = asker.one(&format!("stats.till_of_discovery.{instance}")).await;
    let [drawer] = policies(&of_till).try_into().unwrap();
    assert_eq!((&drawer["name"], &drawer["state"]), (&json!("drawer"), &Value::Null), "{drawer}");

    asker.close().await;
    app.stop().await.unwrap();
}

async fn a_question_reaches_whom_it_is_for(broker: String) {
    #[derive(Dependencies)]
    struct Twice;
    #[service(name = "discovery_twice")]
    impl Twice {
        #[rpc]
        fn nothing(&self) {}
    }
    #[derive(Dependencies)]
    struct Once;
    #[service(name = "discovery_twice_not")]
    impl Once {
        #[rpc]
        fn nothing(&self) {}
    }
    let one = App::new().service::<Twice>().broker(&broker).start().await.unwrap();
    let other = App::new().service::<Twice>().service::<Once>().broker(&broker).start().await.unwrap();
    let asker = Asker::connect(&broker).await;
    let both = eventually(SOON, "both instances are there", || async {
        let both = asker.ask("ping.discovery_twice").await;
        (both.len() == 2).then_some(both)
    })
    .await;
    let instances: Vec<_> = both.iter().map(|answer| answer["instance"].as_str().unwrap().to_owned()).collect();
    assert_ne!(instances[0], instances[1]);
    for answer in &both {
        assert_eq!(answer["services"].as_array().unwrap().len(), 1, "{answer}");
    }
    for instance in &instances {
        let [answer] = asker.ask(&format!("ping.discovery_twice.{instance}")).await.try_into().unwrap();
        assert_eq!(answer["instance"], json!(instance));
    }
    assert_eq!(asker.ask("ping.discovery_twice_not").await.len(), 1);
    // All of them; on a shared broker others as well.
    let all = asker.ask("ping").await;
    for instance in &instances {
        assert!(all.iter().any(|answer| answer["instance"] == json!(instance)), "{all:?}");
    }
    for nobody in ["ping.discovery_twic", "ping.discovery_twice.0", "pong.discovery_twice.x"] {
        assert_eq!(asker.ask(nobody).await, [] as [Value; 0], "{nobody}");
    }
    one.stop().await.unwrap();
    // Gone with its stop: nobody has to wait for it.
    eventually(SOON, "one is left", || async { (asker.ask("ping.discovery_twice").await.len() == 1).then_some(()) })
        .await;
    asker.close().await;
    other.stop().await.unwrap();
}

async fn suggestion(app: &kinoko::RunningApp, service: &str) -> Option<String> {
    match app.proxy().call(service, "nothing").await.unwrap_err() {
        CallError::UnknownService { did_you_mean, .. } => did_you_mean,
        error => panic!("{error:?}"),
    }
}

async fn an_unknown_service_is_known_by_what_others_run(broker: String) {
    #[derive(Dependencies)]
    struct Faraway;
    #[service(name = "faraway_isles")]
    impl Faraway {
        #[rpc]
        fn nothing(&self) {}
    }
    let here = App::new().service::<Till>().broker(&broker).start().await.unwrap();
    assert_eq!(suggestion(&here, "faraway_islse").await, None);
    let there = App::new().service::<Faraway>().broker(&broker).start().await.unwrap();
    eventually(SOON, "the other one is known", || async { suggestion(&here, "faraway_islse").await }).await;
    assert_eq!(suggestion(&here, "faraway_islse").await.as_deref(), Some("faraway_isles"));
    let error = here.proxy().call("faraway_islse", "nothing").await.unwrap_err();
    assert_eq!(error.to_string(), "no service `faraway_islse`: did you mean `faraway_isles`?");
    there.stop().await.unwrap();
    eventually(SOON, "it has gone", || async { suggestion(&here, "faraway_islse").await.is_none().then_some(()) })
        .await;
    here.stop().await.unwrap();
}

async fn who_comes_late_knows_who_was_there(broker: String) {
    #[derive(Dependencies)]
    struct Early;
    #[service(name = "earlybirds")]
    impl Early {
        #[rpc]
        fn nothing(&self) {}
    }
    let early = App::new().service::<Early>().broker(&broker).start().await.unwrap();
    let asker = Asker::connect(&broker).await;
    asker.wait_for("ping.earlybirds").await;
    let late = App::new().service::<Till>().broker(&broker).start().await.unwrap();
    let known = eventually(SOON, "it is known", || async { suggestion(&late, "earlybrids").await }).await;
    assert_eq!(known, "earlybirds");
    asker.close().await;
    late.stop().await.unwrap();
    early.stop().await.unwrap();
}

async fn a_program_can_be_left_alone(broker: String) {
    #[derive(Dependencies)]
    struct Hermit;
    #[service(name = "hermitages")]
    impl Hermit {
        #[rpc]
        fn nothing(&self) {}
    }
    let settings = Settings::from_yaml("discovery: {broker: false}").unwrap();
    let hermit = App::new().service::<Hermit>().settings(settings).broker(&broker).start().await.unwrap();
    let other = App::new().service::<Till>().broker(&broker).start().await.unwrap();
    let asker = Asker::connect(&broker).await;
    asker.wait_for("ping.till_of_discovery").await;
    assert_eq!(asker.ask("ping.hermitages").await, [] as [Value; 0]);
    assert_eq!(suggestion(&other, "hermitagse").await, None);
    hermit.proxy().call("hermitages", "nothing").await.unwrap();
    asker.close().await;
    hermit.stop().await.unwrap();
    other.stop().await.unwrap();
}

/// A program that stops at once after its start has not waited, and leaves nothing.
async fn discovery_waits_for_nobody(broker: String) {
    #[derive(Dependencies)]
    struct Short;
    #[service(name = "discovery_short")]
    impl Short {
        #[rpc]
        fn nothing(&self) {}
    }
    for _ in 0..20 {
        App::new().service::<Short>().broker(&broker).start().await.unwrap().stop().await.unwrap();
    }
    let asker = Asker::connect(&broker).await;
    assert_eq!(asker.ask("ping.discovery_short").await, [] as [Value; 0]);
    asker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(python), ignore = "needs Python with Nameko: run ./test.sh")]
async fn any_language_can_ask() {
    #[derive(Dependencies)]
    struct Polyglot;
    #[service(name = "polyglot_of_discovery")]
    impl Polyglot {
        #[rpc]
        fn nothing(&self) {}
    }
    let app = App::new().service::<Polyglot>().broker(amqp_uri()).start().await.unwrap();
    let answers = eventually(SOON, "an answer", || async {
        let mut answers =
            tokio::task::spawn_blocking(|| Python::nameko3().ask("info.polyglot_of_discovery")).await.unwrap();
        answers.retain(|answer| answer["pid"] == std::process::id());
        (!answers.is_empty()).then_some(answers)
    });
    let [answer] = answers.await.try_into().unwrap();
    assert_eq!(answer["services"][0]["entrypoints"][0]["name"], "nothing");
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_program_is_found_again_after_its_connection_was_lost() {
    #[derive(Dependencies)]
    struct Cut;
    #[service(name = "severed_wire")]
    impl Cut {
        #[rpc]
        fn nothing(&self) {}
    }
    let network = Proxy::to(&amqp_uri());
    let app = App::new().service::<Cut>().broker(network.uri(&amqp_uri())).start().await.unwrap();
    let watcher = App::new().service::<Till>().broker(amqp_uri()).start().await.unwrap();
    eventually(SOON, "it is known", || async { suggestion(&watcher, "severed_wier").await }).await;
    network.cut();
    let asker = Asker::connect(&amqp_uri()).await;
    asker.wait_for("ping.severed_wire").await;
    // What it said before is not forgotten, and what others say reaches it.
    let newcomer = unique("newcomers");
    eventually(SOON, "it hears others", || async {
        asker.say("hello", &asker::presence(&newcomer, &["newcomers"])).await;
        suggestion(&app, "newcomres").await
    })
    .await;
    asker.say("bye", &json!({"instance": newcomer})).await;
    asker.close().await;
    app.stop().await.unwrap();
    watcher.stop().await.unwrap();
}
