//! A user of the broker who may not take part.

use kinoko::{
    prelude::*,
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology},
};
use kinoko_tests::{PrivateBroker, captured_log, eventually};

use super::{SOON, asker::Asker};

#[derive(Dependencies)]
struct Modest;

#[service(name = "discovery_modest")]
impl Modest {
    #[rpc]
    fn hello(&self, name: String) -> String {
        format!("Hello, {name}!")
    }

    #[event_handler("discovery_modest", "happened")]
    fn on_happened(&self, _happened: Happened) {}
}

#[event(source = "discovery_modest", name = "happened")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Happened {
    id: u64,
}

/// The lines of discovery in the log about a user of the broker, and those of what could not be declared again on it. The log is that of all tests.
fn told(user: &str, broker: &PrivateBroker) -> (Vec<String>, Vec<String>) {
    let log = captured_log();
    let lines = |text: &str, of: &str| {
        let told = log.lines().filter(|line| line.contains("WARN") && line.contains(text) && line.contains(of));
        told.map(str::to_owned).collect()
    };
    (
        lines("other programs do not", &format!("for user '{user}'")),
        lines("could not declare everything again", &broker.host_port()),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn a_program_without_the_permission_runs_and_says_so_once() {
    captured_log();
    let broker = tokio::task::spawn_blocking(PrivateBroker::start_new).await.unwrap();
    let needed = "^(rpc|evt|nameko-rpc|kinoko\\.(rpc|dead|alone|begun|delay)|discovery_modest|amq\\.default).*";
    for (user, configure, write) in [
        // It may not make the exchange, which nobody else has made.
        ("noconf", needed, needed),
        // It may not bind its queue.
        ("mute", ".*", needed),
        // It is asked, and may not greet.
        (
            "shy",
            ".*",
            "^(rpc|evt|nameko-rpc|kinoko\\.(rpc|dead|alone|begun|delay|srv-)|discovery_modest|amq\\.default).*",
        ),
    ] {
        broker.ctl(&["add_user", user, "pass"]);
        broker.ctl(&["set_permissions", user, configure, write, ".*"]);
        let settings = Settings::from_yaml("redeclare_interval: 100ms").unwrap();
        let app = App::new()
            .service::<Modest>()
            .settings(settings)
            .broker(broker.uri_of(user, "pass"))
            .start()
            .await
            .unwrap();
        eventually(SOON, user, || async { (told(user, &broker).0.len() == 1).then_some(()) }).await;
        // Asked or not, nothing else suffers.
        let asker = Asker::connect(&broker.uri()).await;
        for id in 0..50 {
            asker.publish("ping.discovery_modest", Some("nowhere"), "", "").await;
            assert_eq!(app.client::<ModestClient>().hello("Ada".into()).await.unwrap(), "Hello, Ada!");
            app.events().dispatch(&Happened { id }).await.unwrap();
        }
        asker.close().await;
        let (warned, redeclared) = told(user, &broker);
        assert_eq!(warned.len(), 1, "{user}: {warned:?}");
        assert_eq!(redeclared, Vec::<String>::new(), "{user}");
        assert!(app.readiness().is_ready(), "{user}: {}", app.readiness());
        app.stop().await.unwrap();
    }
}

#[derive(Dependencies)]
struct Listener;

/// Nothing of it needs the default exchange.
#[service(name = "discovery_listener")]
impl Listener {
    #[timer(every = "1h")]
    fn sweep(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn an_answer_that_is_refused_takes_no_event_with_it() {
    captured_log();
    let broker = tokio::task::spawn_blocking(PrivateBroker::start_new).await.unwrap();
    broker.ctl(&["add_user", "silent", "pass"]);
    broker.ctl(&["set_permissions", "silent", ".*", "^(evt|nameko-rpc|kinoko|rpc|discovery_listener).*", ".*"]);
    let app = App::new().service::<Listener>().broker(broker.uri_of("silent", "pass")).start().await.unwrap();
    let asker = Asker::connect(&broker.uri()).await;
    // Somebody has what it dispatches.
    let (source, happened) = ("discovery_listener.events", "discovery.happened");
    let topology = Topology {
        exchanges: vec![Exchange::durable(source, ExchangeKind::Topic)],
        queues: vec![Queue::durable(happened)],
        bindings: vec![Binding::new(source, happened, "happened")],
    };
    asker.transport.declare(topology).await.unwrap();
    let told = || told("silent", &broker).0.len();
    let (queue, mut id) = (asker.queue.clone(), 0);
    eventually(SOON, "it is asked, and may not answer", || {
        id += 1;
        let (asker, queue, events) = (&asker, &queue, app.events());
        async move {
            asker.publish("ping.discovery_listener", Some(queue), "", "").await;
            events.dispatch_to("discovery_listener", "happened", &id).required().await.unwrap();
            (told() > 0).then_some(())
        }
    })
    .await;
    for id in 0..20 {
        asker.publish("ping.discovery_listener", Some(&queue), "", "").await;
        app.events().dispatch_to("discovery_listener", "happened", &id).required().await.unwrap();
    }
    assert_eq!(told(), 1);
    asker.close().await;
    app.stop().await.unwrap();
}
