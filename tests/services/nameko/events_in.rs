//! Python dispatches, handlers of ours handle.

use std::collections::BTreeMap;

use kinoko::{event::RawDelivery, prelude::*};
use kinoko_tests::Python;
use serde_json::{Value, json};

use super::{
    instance::{Instance, Test, clean, dispatch},
    with_both_namekos,
};

with_both_namekos! {
    each_kind_of_handler_gets_its_copies
    events_wait_where_delivery_is_reliable
}

const PEER: &str = "nameko_in_peer";

const QUEUES: [&str; 5] = [
    "evt-nameko_in_peer-made--nameko_in.pooled",
    "evt-nameko_in_peer-made--nameko_in_peer.theirs",
    "evt-nameko_in_peer-made",
    "evt-nameko_in_peer-lightly--nameko_in.pooled_lightly",
    "evt-nameko_in_peer-lightly",
];

#[derive(Dependencies)]
struct Inbound {
    test: Test,
}

#[service(name = "nameko_in")]
impl Inbound {
    #[event_handler("nameko_in_peer", "made")]
    fn pooled(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }

    #[event_handler("nameko_in_peer", "made", kind = "singleton")]
    fn single(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }

    #[event_handler("nameko_in_peer", "made", kind = "broadcast")]
    fn cast(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }

    #[event_handler("nameko_in_peer", "lightly", reliable_delivery = false)]
    fn pooled_lightly(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }

    #[event_handler("nameko_in_peer", "lightly", kind = "singleton", reliable_delivery = false)]
    fn single_lightly(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }
}

fn handlers_of_the_peer() -> Value {
    json!([
        {"method": "theirs", "event": [PEER, "made"]},
        {"method": "single", "event": [PEER, "made"], "handler_type": "singleton"},
        {"method": "single_lightly", "event": [PEER, "lightly"], "handler_type": "singleton", "reliable_delivery": false},
    ])
}

/// What the handlers of each instance got, by method, sorted.
type Got = BTreeMap<String, Vec<i64>>;

fn sorted<M: Into<String>>(told: impl IntoIterator<Item = (M, i64)>) -> Got {
    let mut got = Got::new();
    for (method, payload) in told {
        got.entry(method.into()).or_default().push(payload);
    }
    got.values_mut().for_each(|payloads| payloads.sort_unstable());
    got
}

async fn each_kind_of_handler_gets_its_copies(python: Python) {
    clean(&QUEUES, &[PEER]).await;
    let mut peer = python.handle(PEER, handlers_of_the_peer()).await;
    let mut ours = [Instance::of::<Inbound>().await, Instance::of::<Inbound>().await];
    for event in ["made", "lightly"] {
        dispatch(&ours[0].app, PEER, event, 0..30).await;
        python.dispatch(PEER, event, "range(30, 40)").await;
    }
    // Of `made` the pool has 40, the singleton 40, Python's own 40, each instance 40; of `lightly` both have 40.
    let (mut by_ours, mut by_python) = ([vec![], vec![]], vec![]);
    for _ in 0..40 + 40 + 40 + 2 * 40 + 40 + 40 {
        let [first, second] = &mut ours;
        tokio::select! {
            told = first.next() => by_ours[0].push((told.method, told.payload.as_i64().unwrap())),
            told = second.next() => by_ours[1].push((told.method, told.payload.as_i64().unwrap())),
            told = peer.next() => by_python.push(theirs(&told)),
        }
    }
    for (instance, got) in ours.into_iter().zip(&mut by_ours) {
        got.extend(instance.stop().await.iter().map(|told| (told.method, told.payload.as_i64().unwrap())));
    }
    by_python.extend(peer.stop().await.iter().map(theirs));

    let [first, second] = by_ours.map(sorted);
    let python = sorted(by_python);
    let every: Vec<_> = (0..40).collect();
    assert_eq!(python["theirs"], every, "a service of its own");
    assert_eq!((&first["cast"], &second["cast"]), (&every, &every), "each instance");
    for (method, instances) in [
        ("pooled", &[&first, &second][..]),
        ("pooled_lightly", &[&first, &second]),
        ("single", &[&first, &second, &python]),
        ("single_lightly", &[&first, &second, &python]),
    ] {
        let mut all: Vec<_> = instances.iter().flat_map(|got| got[method].clone()).collect();
        all.sort_unstable();
        assert_eq!(all, every, "{method}: one copy, spread over all instances: {instances:?}");
    }
    clean(&QUEUES, &[PEER]).await;
}

fn theirs(told: &Value) -> (String, i64) {
    (told["method"].as_str().unwrap().to_owned(), told["payload"].as_str().unwrap().parse().unwrap())
}

async fn events_wait_where_delivery_is_reliable(python: Python) {
    clean(&QUEUES, &[PEER]).await;
    Instance::of::<Inbound>().await.stop().await;
    for event in ["made", "lightly"] {
        python.dispatch(PEER, event, "[1]").await;
    }
    let mut ours = Instance::of::<Inbound>().await;
    for event in ["made", "lightly"] {
        python.dispatch(PEER, event, "[2]").await;
    }
    let mut told = ours.take(7).await;
    told.extend(ours.stop().await);
    let got = sorted(told.iter().map(|told| (told.method, told.payload.as_i64().unwrap())));
    let expected = [
        ("cast", vec![2]),
        ("pooled", vec![1, 2]),
        ("pooled_lightly", vec![2]),
        ("single", vec![1, 2]),
        ("single_lightly", vec![2]),
    ];
    assert_eq!(got, expected.map(|(method, payloads)| (method.to_owned(), payloads)).into());
    clean(&QUEUES, &[PEER]).await;
}
