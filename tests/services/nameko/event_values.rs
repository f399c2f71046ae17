//! What events carry, and which types their patterns match, both ways.

use kinoko::{Event, EventDispatcher, event::RawDelivery, prelude::*};
use kinoko_tests::{Python, amqp_uri};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    instance::{Instance, Test, clean},
    with_both_namekos,
};

with_both_namekos! {
    payloads_of_pythons_arrive
    payloads_of_ours_arrive
    patterns_match_pythons_types
    patterns_of_pythons_match_our_types
}

const PEER: &str = "nameko_values_peer";
const OURS: &str = "nameko_values";

const QUEUES: [&str; 8] = [
    "evt-nameko_values_peer-any--nameko_values.any",
    "evt-nameko_values_peer-typed--nameko_values.typed",
    "evt-nameko_values_peer-a.*--nameko_values.one_word",
    "evt-nameko_values_peer-#--nameko_values.all",
    "evt-nameko_values-any--nameko_values_peer.any",
    "evt-nameko_values-typed--nameko_values_peer.any",
    "evt-nameko_values-a.*--nameko_values_peer.one_word",
    "evt-nameko_values-#--nameko_values_peer.all",
];

#[derive(Dependencies)]
struct Values {
    test: Test,
}

#[derive(Deserialize)]
struct Order {
    at: String,
    price: String,
    id: Uuid,
    photo: Vec<u8>,
    ratio: f64,
    note: Option<String>,
}

#[service(name = "nameko_values")]
impl Values {
    #[event_handler("nameko_values_peer", "any")]
    fn any(&self, payload: Value, #[inject] cx: WorkerContext) {
        self.test.read(&cx, payload);
    }

    #[event_handler("nameko_values_peer", "typed")]
    fn typed(&self, order: Order, #[inject] cx: WorkerContext) {
        let Order { at, price, id, photo, ratio, note } = order;
        self.test.read(&cx, json!([at, price, id.as_u128() as u64, photo, ratio.is_nan(), note]));
    }

    #[event_handler("nameko_values_peer", "a.*")]
    fn one_word(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }

    #[event_handler("nameko_values_peer", "#")]
    fn all(&self, event: &RawDelivery, #[inject] cx: WorkerContext) {
        self.test.got(&cx, event);
    }
}

async fn payloads_of_pythons_arrive(python: Python) {
    clean(&QUEUES, &[PEER, OURS]).await;
    let mut ours = Instance::of::<Values>().await;
    let payloads = [
        ("None", json!(null)),
        ("True", json!(true)),
        ("0", json!(0)),
        ("-1.5", json!(-1.5)),
        ("2**63", json!(1_u64 << 63)),
        ("'Zoë \\U0001f600 \\n\"'", json!("Zoë \u{1f600} \n\"")),
        ("''", json!("")),
        ("[]", json!([])),
        ("[1, ['a', None]]", json!([1, ["a", null]])),
        ("(1, 2)", json!([1, 2])),
        ("{'a': {'b': [1.0]}, 7: 'seven'}", json!({"a": {"b": [1.0]}, "7": "seven"})),
        ("float('nan')", json!(null)),
        ("datetime.datetime(2020, 1, 2, 3, 4, 5)", json!("2020-01-02T03:04:05")),
        ("decimal.Decimal('1.50')", json!("1.50")),
        ("uuid.UUID(int=7)", json!("00000000-0000-0000-0000-000000000007")),
        ("b'ab'", json!([97, 98])),
    ];
    let expressions: Vec<_> = payloads.iter().map(|(python, _)| *python).collect();
    python.dispatch(PEER, "any", &format!("[{}]", expressions.join(","))).await;
    // The handler of all types has each as well, by what `RawDelivery` decodes.
    let told = ours.take(2 * payloads.len()).await;
    for method in ["any", "all"] {
        let mut got: Vec<_> = told.iter().filter(|told| told.method == method).map(|told| &told.payload).collect();
        for (python, payload) in &payloads {
            let at = got.iter().position(|got| *got == payload);
            got.remove(at.unwrap_or_else(|| panic!("{python} as {payload}, {method}: {got:?}")));
        }
    }
    let order = "[{'at': datetime.datetime(2020, 1, 2, 3, 4, 5), 'price': decimal.Decimal('1.50'), 'id': uuid.UUID(int=7), \
                  'photo': b'\\xff\\x00', 'ratio': float('nan'), 'more': 1}]";
    python.dispatch(PEER, "typed", order).await;
    let told = ours.take(2).await;
    let typed = told.iter().find(|told| told.method == "typed").unwrap();
    assert_eq!(typed.payload, json!(["2020-01-02T03:04:05", "1.50", 7, [255, 0], true, null]));
    ours.stop().await;
    clean(&QUEUES, &[PEER, OURS]).await;
}

/// An event of ours with what JSON does not have.
#[event(source = "nameko_values", name = "typed")]
#[derive(serde::Serialize, Deserialize)]
struct Measured {
    id: Uuid,
    ratio: f64,
    huge: u128,
    photo: Vec<u8>,
    note: Option<String>,
    unit: (),
}

async fn payloads_of_ours_arrive(python: Python) {
    clean(&QUEUES, &[PEER, OURS]).await;
    let handlers = json!([
        {"method": "any", "event": [OURS, "any"]},
        {"method": "any_typed", "event": [OURS, "typed"], "reliable_delivery": false},
    ]);
    let mut peer = python.handle(PEER, handlers).await;
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    for (payload, expected) in [
        (json!(null), "None"),
        (json!(true), "True"),
        (json!(7), "7"),
        (json!(7.0), "7.0"),
        (json!(1_u64 << 63), "9223372036854775808"),
        (json!("Zoë \u{1f600}\n"), "'Zoë 😀\\n'"),
        (json!([1, ["a", null]]), "[1, ['a', None]]"),
        (json!({"a": {"b": []}}), "{'a': {'b': []}}"),
        // kombu's tags, written by hand.
        (json!({"__type__": "decimal", "__value__": "1.50"}), "Decimal('1.50')"),
        (json!([{"__type__": "bytes", "__value__": "ab"}]), "[b'ab']"),
    ] {
        let dispatched = events.dispatch_to(OURS, "any", &payload).await.unwrap();
        assert!(dispatched.routed);
        assert_eq!(peer.next().await["payload"], expected);
    }
    let measured =
        Measured { id: Uuid::from_u128(7), ratio: f64::NAN, huge: 1 << 100, photo: vec![255, 0], note: None, unit: () };
    assert_eq!(Measured::EVENT.source, OURS);
    events.dispatch(&measured).await.unwrap();
    let expected = "{'id': '00000000-0000-0000-0000-000000000007', 'ratio': None, 'huge': 1267650600228229401496703205376, \
                    'photo': [255, 0], 'note': None, 'unit': None}";
    assert_eq!(peer.next().await["payload"], expected);
    events.close().await;
    assert_eq!(peer.stop().await, [] as [Value; 0]);
    clean(&QUEUES, &[PEER, OURS]).await;
}

/// Types, and which of the two patterns match: `a.*`, `#`.
const TYPES: [(&str, &[&str]); 4] =
    [("a.b", &["all", "one_word"]), ("a", &["all"]), ("a.b.c", &["all"]), ("b.a", &["all"])];

async fn patterns_match_pythons_types(python: Python) {
    clean(&QUEUES, &[PEER, OURS]).await;
    let mut ours = Instance::of::<Values>().await;
    for (event, methods) in TYPES {
        python.dispatch(PEER, event, "[1]").await;
        let mut told = ours.take(methods.len()).await;
        told.sort_by_key(|told| told.method);
        let got: Vec<_> = told.iter().map(|told| (told.method, told.routing_key.as_str())).collect();
        assert_eq!(got, methods.iter().map(|method| (*method, event)).collect::<Vec<_>>());
    }
    assert!(ours.stop().await.is_empty(), "and no others");
    clean(&QUEUES, &[PEER, OURS]).await;
}

async fn patterns_of_pythons_match_our_types(python: Python) {
    clean(&QUEUES, &[PEER, OURS]).await;
    let handlers = json!([
        {"method": "one_word", "event": [OURS, "a.*"]},
        {"method": "all", "event": [OURS, "#"]},
    ]);
    let mut peer = python.handle(PEER, handlers).await;
    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    for (event, methods) in TYPES {
        events.dispatch_to(OURS, event, event).await.unwrap();
        let mut got = Vec::new();
        for _ in methods {
            let told = peer.next().await;
            assert_eq!(told["payload"], format!("'{event}'"));
            got.push(told["method"].as_str().unwrap().to_owned());
        }
        got.sort();
        assert_eq!(got, methods);
    }
    events.close().await;
    assert_eq!(peer.stop().await, [] as [Value; 0], "and no others");
    clean(&QUEUES, &[PEER, OURS]).await;
}
