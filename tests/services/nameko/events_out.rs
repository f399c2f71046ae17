//! We dispatch, handlers of Python's handle.

use kinoko::{EventDispatcher, prelude::*, testing::TestApp};
use kinoko_tests::{Python, PythonService, amqp_uri};
use serde_json::{Value, json};

use super::{instance::clean, with_both_namekos};

with_both_namekos! {
    each_kind_of_pythons_handlers_gets_its_copies
    a_handler_that_requeues_gets_the_event_again
}

const PEER: &str = "nameko_out_peer";
const OTHER: &str = "nameko_out_other";

const QUEUES: [&str; 4] = [
    "evt-nameko_out-made--nameko_out_peer.pooled",
    "evt-nameko_out-made--nameko_out_other.pooled",
    "evt-nameko_out-made",
    "evt-nameko_out-again--nameko_out_peer.again",
];

#[event(source = "nameko_out", name = "made")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Made(u32);

#[derive(Dependencies)]
struct Outbound {
    events: EventDispatcher,
}

#[service(name = "nameko_out")]
impl Outbound {
    #[rpc]
    async fn make(&self, count: u32) -> kinoko::Result<()> {
        for number in 0..count {
            self.events.dispatch(&Made(number)).await?;
        }
        Ok(())
    }
}

async fn each_kind_of_pythons_handlers_gets_its_copies(python: Python) {
    clean(&QUEUES, &["nameko_out"]).await;
    let handlers = json!([
        {"method": "pooled", "event": ["nameko_out", "made"]},
        {"method": "single", "event": ["nameko_out", "made"], "handler_type": "singleton"},
        {"method": "cast", "event": ["nameko_out", "made"], "handler_type": "broadcast", "reliable_delivery": false},
        {"method": "lightly", "event": ["nameko_out", "made"], "reliable_delivery": false},
    ]);
    let start = |name| python.handle(name, handlers.clone());
    let (first, second, other) = tokio::join!(start(PEER), start(PEER), start(OTHER));
    let mut peers = [("first", first), ("second", second), ("other", other)];
    let app = TestApp::new().service::<Outbound>().broker(amqp_uri()).start().await.unwrap();
    app.client::<OutboundClient>().make(20).await.unwrap();
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    for number in 20..30 {
        assert!(events.dispatch(&Made(number)).await.unwrap().routed);
    }
    events.close().await;

    // A pool of each service has 30, twice; each of three instances 30; all together 30.
    let mut got: Vec<(&str, String, u32)> = Vec::new();
    for _ in 0..2 * 2 * 30 + 3 * 30 + 30 {
        let [(_, first), (_, second), (_, other)] = &mut peers;
        tokio::select! {
            told = first.next() => got.push(theirs("first", &told)),
            told = second.next() => got.push(theirs("second", &told)),
            told = other.next() => got.push(theirs("other", &told)),
        }
    }
    app.stop().await.unwrap();
    for (name, peer) in peers {
        got.extend(peer.stop().await.iter().map(|told| theirs(name, told)));
    }
    let every: Vec<_> = (0..30).collect();
    let of = |method: &str, instances: &[&str]| {
        let mut numbers: Vec<_> = got
            .iter()
            .filter(|(instance, its, _)| its == method && instances.contains(instance))
            .map(|(.., number)| *number)
            .collect();
        assert!(
            instances.iter().all(|instance| got.iter().any(|(its, what, _)| its == instance && what == method)),
            "{method} is spread over {instances:?}"
        );
        numbers.sort_unstable();
        numbers
    };
    for instances in [&["first", "second"][..], &["other"]] {
        assert_eq!(of("pooled", instances), every);
        assert_eq!(of("lightly", instances), every);
    }
    assert_eq!(of("single", &["first", "second", "other"]), every);
    for instance in ["first", "second", "other"] {
        assert_eq!(of("cast", &[instance]), every);
    }
    clean(&QUEUES, &["nameko_out"]).await;
}

fn theirs(instance: &'static str, told: &Value) -> (&'static str, String, u32) {
    (instance, told["method"].as_str().unwrap().to_owned(), told["payload"].as_str().unwrap().parse().unwrap())
}

async fn a_handler_that_requeues_gets_the_event_again(python: Python) {
    clean(&QUEUES, &["nameko_out"]).await;
    let handlers = json!([
        {"method": "again", "event": ["nameko_out", "again"], "requeue_on_error": true, "fail": 3},
    ]);
    let mut peer: PythonService = python.handle(PEER, handlers).await;
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    events.dispatch_to("nameko_out", "again", &"x").await.unwrap();
    for _ in 0..4 {
        assert_eq!(peer.next().await["payload"], "'x'");
    }
    events.dispatch_to("nameko_out", "again", &"y").await.unwrap();
    assert_eq!(peer.next().await["payload"], "'y'", "the first was done with");
    assert!(peer.stop().await.is_empty());
    events.close().await;
    clean(&QUEUES, &["nameko_out"]).await;
}
