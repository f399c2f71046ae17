//! What Python's JSON holds and JSON does not: tagged values, `NaN`, integers of any size.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use kinoko::{CallError, Client, prelude::*, protocol::Value};
use kinoko_tests::{Python, amqp_uri};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::json;
use uuid::Uuid;

use super::with_both_namekos;

with_both_namekos! {
    tagged_arguments_become_the_parameters_types
    tagged_results_become_the_types_that_are_asked_for
    floats_and_integers_of_python_arrive
    what_we_send_is_read_by_python
}

#[derive(Dependencies)]
struct Values;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Receipt {
    at: DateTime<Utc>,
    day: NaiveDate,
    hour: NaiveTime,
    price: Decimal,
    ids: Vec<Uuid>,
    scan: ByteBuf,
    note: String,
}

impl Receipt {
    fn sample() -> Self {
        Self {
            at: DateTime::from_timestamp(1_577_934_245, 6_000).unwrap(),
            day: NaiveDate::from_ymd_opt(2020, 1, 2).unwrap(),
            hour: NaiveTime::from_hms_opt(3, 4, 5).unwrap(),
            price: Decimal::new(-1_250, 2),
            ids: vec![Uuid::from_u128(5)],
            scan: ByteBuf::from([255, 0]),
            note: "né".into(),
        }
    }
}

/// The sample in Python: kombu tags all of it.
const SAMPLE: &str = "dict(\
    at=datetime.datetime(2020, 1, 2, 3, 4, 5, 6, datetime.timezone.utc), day=datetime.date(2020, 1, 2), \
    hour=datetime.time(3, 4, 5), price=decimal.Decimal('-12.50'), ids=[uuid.UUID(int=5)], scan=bytes([255, 0]), \
    note='n\\u00e9'.encode())";

#[service(name = "nameko_values")]
impl Values {
    #[rpc]
    fn receipt(&self, receipts: Vec<Receipt>, id: Option<Uuid>) -> bool {
        receipts == [Receipt::sample()] && id == Some(Uuid::from_u128(6))
    }

    #[rpc]
    fn dynamic(&self, value: Value) -> Value {
        value
    }

    #[rpc]
    fn list(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    #[rpc]
    fn float(&self, value: f64) -> String {
        value.to_string()
    }

    #[rpc]
    fn floats(&self) -> (f64, f64, f64) {
        (0.1 + 0.2, f64::NAN, f64::INFINITY)
    }

    #[rpc]
    fn long(&self, value: u128) -> String {
        value.to_string()
    }

    #[rpc]
    fn short(&self, value: i64) -> i64 {
        value
    }
}

fn call(method: &str, python: &str) -> Value {
    json!({"service": "nameko_values", "method": method, "python": python})
}

async fn serve() -> kinoko::RunningApp {
    App::new().broker(amqp_uri()).service::<Values>().start().await.unwrap()
}

async fn tagged_arguments_become_the_parameters_types(python: Python) {
    let app = serve().await;
    let mut untagged = json!({
        "at": "2020-01-02T03:04:05.000006Z", "day": "2020-01-02", "hour": "03:04:05", "price": "-12.50",
        "ids": ["00000000-0000-0000-0000-000000000005"], "scan": [255, 0], "note": "né"
    });
    let calls = vec![
        call("receipt", &format!("[[{SAMPLE}], uuid.UUID(int=6)]")),
        // What kombu before 5.3 wrote, which had no bytes.
        json!({"service": "nameko_values", "method": "receipt", "args": [[untagged], Uuid::from_u128(6)]}),
        call("dynamic", &format!("[[{SAMPLE}]]")),
        call("list", "[b'\\xff\\x00']"),
        call("list", "[b'ab']"),
    ];
    untagged["at"] = "2020-01-02T03:04:05.000006+00:00".into();
    untagged["note"] = json!([110, 195, 169]);
    let answers = python.calls_in_background(&[], calls).await;
    let expected = [json!(true), json!(true), json!([untagged]), json!([255, 0]), json!([97, 98])];
    assert_eq!(answers, expected.map(|result| json!({ "result": result })));
    app.stop().await.unwrap();
}

async fn tagged_results_become_the_types_that_are_asked_for(python: Python) {
    let _peer = python.serve("nameko_values_peer");
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let evaluate = |expression: &str| client.proxy().call("nameko_values_peer", "evaluate").arg(expression);
    let receipt = evaluate(SAMPLE).returning::<Receipt, std::convert::Infallible>().await.unwrap();
    assert_eq!(receipt, Receipt::sample());
    let value = evaluate("[datetime.datetime(2020, 1, 2), {'id': uuid.UUID(int=5)}, b'ab']").await.unwrap();
    assert_eq!(value, json!(["2020-01-02T00:00:00", {"id": "00000000-0000-0000-0000-000000000005"}, [97, 98]]));
    client.close().await;
}

async fn floats_and_integers_of_python_arrive(python: Python) {
    let app = serve().await;
    let peer = python.serve("nameko_values_peer");
    let cases = [
        (call("float", "[float('nan')]"), json!("NaN")),
        (call("float", "[float('-inf')]"), json!("-inf")),
        (call("float", "[0.1 + 0.2]"), json!("0.30000000000000004")),
        (call("float", "[-0.0]"), json!("-0")),
        (call("float", "[2**100]"), json!(2_f64.powi(100).to_string())),
        (call("long", "[2**100]"), json!("1267650600228229401496703205376")),
        (call("dynamic", "[[float('nan'), 1]]"), json!([null, 1])),
        (call("dynamic", "['\\u00e9\\U0001f600 \\\\u00e9']"), json!("é\u{1f600} \\u00e9")),
        (call("short", "[-2**63]"), json!(i64::MIN)),
    ];
    let (calls, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let answers = python.calls_in_background(&[], calls).await;
    assert_eq!(answers, expected.into_iter().map(|result| json!({ "result": result })).collect::<Vec<_>>());

    // What has no place in the parameter is refused, and by its name.
    let refused = python.calls_in_background(
        &[],
        vec![
            call("short", "[2**100]"),
            call("long", "[2**200]"),
            call("dynamic", "[10**400]"),
            call("short", "[float('nan')]"),
            call("dynamic", "['\\ud800']"),
        ],
    );
    let refused = refused.await;
    for (answer, (class, text)) in refused.iter().zip([
        ("IncorrectSignature", "argument `value`: invalid type: floating point `1.2676506002282294e+30`, expected i64"),
        (
            "IncorrectSignature",
            "argument `value`: invalid type: floating point `1.6069380442589903e+60`, expected u128",
        ),
        (
            "IncorrectSignature",
            "argument `value`: invalid value: an integer of 401 digits, expected any valid JSON value",
        ),
        ("IncorrectSignature", "argument `value`: invalid type: null, expected i64"),
        ("MalformedRequest", "unexpected end of hex escape at line 1 column 18"),
    ]) {
        assert_eq!((&answer["error"]["class"], &answer["error"]["text"]), (&json!(class), &json!(text)));
    }

    let evaluate = |expression: &str| app.proxy().call("nameko_values_peer", "evaluate").arg(expression);
    assert_eq!(evaluate("[float('nan'), 0.1 + 0.2]").await.unwrap(), json!([null, 0.1 + 0.2]));
    let nan = evaluate("float('nan')").returning::<f64, std::convert::Infallible>().await.unwrap();
    assert!(nan.is_nan());
    let long = evaluate("2**100").returning::<u128, std::convert::Infallible>().await.unwrap();
    assert_eq!(long, 1 << 100);
    match evaluate("2**100").returning::<u64, std::convert::Infallible>().await {
        Err(CallError::BadReply(text)) => assert!(text.contains("expected u64"), "{text}"),
        other => panic!("{other:?}"),
    }
    drop(peer);
    app.stop().await.unwrap();
}

async fn what_we_send_is_read_by_python(python: Python) {
    let app = serve().await;
    let peer = python.serve("nameko_values_peer");
    // Results: what JSON has no number for is None.
    let answers = python.calls_in_background(&[], vec![call("floats", "[]")]).await;
    assert_eq!(answers, [json!({"result": [0.1 + 0.2, null, null]})]);
    // Arguments: texts and lists, whatever Python would have made of them.
    let described = |value: Value| app.proxy().call("nameko_values_peer", "described").arg(value);
    let mut receipt = serde_json::to_value(Receipt::sample()).unwrap();
    receipt["big"] = u64::MAX.into();
    let seen = described(receipt).await.unwrap();
    let seen = seen.as_str().unwrap();
    for part in [
        "'at': '2020-01-02T03:04:05.000006Z'",
        "'day': '2020-01-02'",
        "'price': '-12.50'",
        "'ids': ['00000000-0000-0000-0000-000000000005']",
        "'scan': [255, 0]",
        "'note': 'né'",
        "'big': 18446744073709551615",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    drop(peer);
    app.stop().await.unwrap();
}
