//! Messages of a `.proto` file in JSON and MessagePack, as Rust and Python see them.

use std::{collections::HashMap, io::Write};

use kinoko::{
    Value,
    grpc::{
        GrpcClient,
        prost::Message,
        prost_types::{Duration, Timestamp},
    },
    prelude::*,
    testing::TestApp,
};
use serde_json::json;

use self::{
    forms::{Color, Form, form},
    packages::{
        money::v1::{Currency, Money},
        shop::Price,
    },
};
use super::{Article, KeeperClient, Stock, Warehouse, python, warehouse};

mod forms {
    kinoko::proto!("forms.v1");
}

/// Packages that name each other, where their names say.
mod packages {
    pub(super) mod shop {
        kinoko::proto!("shop");
    }
    pub(super) mod money {
        pub(crate) mod v1 {
            kinoko::proto!("money.v1");
        }
    }
}

/// Something in every field.
fn full() -> Form {
    let at = |seconds, nanos| Timestamp { seconds, nanos };
    let line = |kind: form::line::Kind, amount| form::Line { kind: kind.into(), amount };
    #[allow(deprecated, reason = "it is a field as well")]
    Form {
        text: "text".to_owned(),
        number: -(1 << 60),
        ratio: 0.25,
        flag: true,
        raw: vec![0, 1, 255],
        maybe: Some(String::new()),
        color: Color::Red.into(),
        maybe_color: Some(Color::Green.into()),
        // The last is none that the file knows.
        colors: vec![Color::Green.into(), Color::Unspecified.into(), 17],
        color_by_name: HashMap::from([("apple".to_owned(), Color::Red.into())]),
        name_by_number: HashMap::from([(-7, "minus seven".to_owned())]),
        lines: vec![line(form::line::Kind::Good, 1), form::Line::default()],
        line: Some(line(form::line::Kind::Good, 2)),
        at: Some(at(1_795_904_100, 500_000_000)),
        lasting: Some(Duration { seconds: 1, nanos: 500_000_000 }),
        extra: Some(struct_of(json!({ "a": [1, null, { "b": "c" }] }))),
        anything: Some(value_of(json!(0.5))),
        wrapped: Some("wrapped".to_owned()),
        wrapped_bytes: Some(vec![7]),
        pieces: vec![vec![1], vec![]],
        times: vec![at(-1, 750_000_000)],
        camel_case: "camel".to_owned(),
        r#type: "kind".to_owned(),
        old: "old".to_owned(),
        child: Some(Box::new(Form { text: "child".to_owned(), ..Form::default() })),
        bytes_by_name: HashMap::from([("b".to_owned(), vec![1, 2])]),
        choice: Some(form::Choice::ByColor2(Color::Red.into())),
    }
}

fn value_of(value: Value) -> kinoko::grpc::prost_types::Value {
    let form: Form = serde_json::from_value(json!({ "anything": value })).unwrap();
    form.anything.unwrap()
}

fn struct_of(value: Value) -> kinoko::grpc::prost_types::Struct {
    let form: Form = serde_json::from_value(json!({ "extra": value })).unwrap();
    form.extra.unwrap()
}

/// One of each choice.
fn all() -> Vec<Form> {
    let with = |choice| Form { choice: Some(choice), ..Form::default() };
    let choices = [
        form::Choice::ByName("name".to_owned()),
        form::Choice::ByTime(Timestamp { seconds: 0, nanos: 0 }),
        form::Choice::ByNothing(()),
        form::Choice::ByBytes(vec![1]),
    ];
    [vec![full(), Form::default()], choices.map(with).to_vec()].concat()
}

#[test]
fn a_message_in_json_has_the_names_of_the_file() {
    let json = serde_json::to_value(full()).unwrap();
    for (field, expected) in [
        ("raw", json!([0, 1, 255])),
        ("maybe", json!("")),
        ("color", json!("COLOR_RED")),
        ("maybe_color", json!("COLOR_GREEN")),
        ("colors", json!(["COLOR_GREEN", "COLOR_UNSPECIFIED", 17])),
        ("color_by_name", json!({ "apple": "COLOR_RED" })),
        ("name_by_number", json!({ "-7": "minus seven" })),
        ("lines", json!([{ "kind": "KIND_GOOD", "amount": 1 }, { "kind": "KIND_UNSPECIFIED", "amount": 0 }])),
        ("at", json!("2026-11-28T22:15:00.5Z")),
        ("lasting", json!("1.5s")),
        ("extra", json!({ "a": [1, null, { "b": "c" }] })),
        ("anything", json!(0.5)),
        ("wrapped", json!("wrapped")),
        ("wrapped_bytes", json!([7])),
        ("pieces", json!([[1], []])),
        ("times", json!(["1969-12-31T23:59:59.75Z"])),
        ("choice", json!({ "by_color_2": "COLOR_RED" })),
        ("camelCase", json!("camel")),
        ("type", json!("kind")),
        ("bytes_by_name", json!({ "b": [1, 2] })),
    ] {
        assert_eq!(json[field], expected, "{field}");
    }
}

#[test]
fn a_message_comes_back_out_of_json_and_messagepack() {
    for form in all() {
        let json: Form = serde_json::from_slice(&serde_json::to_vec(&form).unwrap()).unwrap();
        assert_eq!(json, form);
        let packed: Form = rmp_serde::from_slice(&rmp_serde::to_vec_named(&form).unwrap()).unwrap();
        assert_eq!(packed, form);
    }
    assert_eq!(serde_json::from_str::<Form>("{}").unwrap(), Form::default());
}

#[test]
fn what_protobufs_own_json_has_is_read_too() {
    let form: Form = serde_json::from_value(json!({
        "raw": "AAH/", "color": 2, "lasting": 0.5, "at": "2026-11-28T23:15:00+01:00", "wrapped_bytes": "Bw",
    }))
    .unwrap();
    assert_eq!((form.raw, form.color, form.wrapped_bytes), (vec![0, 1, 255], 2, Some(vec![7])));
    assert_eq!(form.lasting, Some(Duration { seconds: 0, nanos: 500_000_000 }));
    assert_eq!(form.at.unwrap().seconds, 1_795_904_100);
}

#[test]
fn what_is_no_message_is_refused_with_what_would_be_one() {
    for (json, expected) in [
        (
            json!({ "color": "COLOR_PINK" }),
            "unknown variant `COLOR_PINK`, expected one of `COLOR_UNSPECIFIED`, `COLOR_RED`",
        ),
        (json!({ "color": 1.5 }), "expected the name or the number of a value"),
        (json!({ "color": 5_000_000_000_u64 }), "expected the name or the number of a value"),
        (json!({ "raw": "%" }), "expected bytes, a list of numbers up to 255, or base64"),
        (json!({ "raw": [256] }), "expected u8"),
        (json!({ "choice": { "by_magic": 1 } }), "unknown variant `by_magic`"),
        (json!({ "lasting": "soon" }), "expected seconds, as text that ends with `s`"),
    ] {
        let error = serde_json::from_value::<Form>(json).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[derive(Dependencies)]
struct Forms;

#[service(name = "forms")]
impl Forms {
    #[rpc]
    fn echo(&self, form: Form) -> Form {
        form
    }
}

#[tokio::test]
async fn a_message_travels_by_rpc_in_either_codec() {
    for codec in ["json", "msgpack"] {
        let app = TestApp::new().service::<Forms>().yaml(&format!("serializer: {codec}")).start().await.unwrap();
        for form in all() {
            assert_eq!(app.client::<FormsClient>().echo(form.clone()).await.unwrap(), form, "{codec}");
        }
        app.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_method_is_called_by_rpc_and_by_grpc_with_one_message() {
    let app = warehouse("").await;
    let (article, stock) = (Article { sku: "nut".to_owned() }, Stock { sku: "nut".to_owned(), count: 3 });
    assert_eq!(app.client::<KeeperClient>().check(article.clone()).await.unwrap(), stock);
    let client = GrpcClient::<Warehouse>::connect(format!("http://{}", app.grpc_address().unwrap())).unwrap();
    assert_eq!(client.check(article).await.unwrap(), stock);
    app.stop().await.unwrap();
}

#[test]
fn packages_name_each_others_messages() {
    let price =
        Price { money: Some(Money { cents: 5, currency: Currency::Chf.into() }), currency: Currency::Chf.into() };
    let json = json!({ "money": { "cents": 5, "currency": "CURRENCY_CHF" }, "currency": "CURRENCY_CHF" });
    assert_eq!(serde_json::to_value(price).unwrap(), json);
    assert_eq!(serde_json::from_value::<Price>(json).unwrap(), price);
}

#[test]
fn a_message_has_a_schema_that_its_json_fits() {
    let schema = serde_json::to_value(schemars::schema_for!(Form)).unwrap();
    let properties = &schema["properties"];
    assert_eq!(properties["at"]["anyOf"][0], json!({ "type": "string", "format": "date-time" }));
    assert_eq!(properties["colors"]["items"]["anyOf"][0]["enum"][1], "COLOR_RED");
    assert_eq!(properties["color_by_name"]["additionalProperties"]["anyOf"][1]["type"], "integer");
    assert!(properties["camelCase"].is_object() && schema["required"].is_null(), "{schema}");
}

#[test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with protobuf: run ./test.sh")]
fn python_finds_in_the_json_what_it_finds_in_the_message() {
    let pairs: Vec<_> = all().iter().map(|form| json!({ "json": form, "bytes": form.encode_to_vec() })).collect();
    let mut child = python("grpc_messages.py").spawn().expect("python runs");
    child.stdin.take().unwrap().write_all(json!(pairs).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "they differ");
    let fields: usize = serde_json::from_slice(&output.stdout).expect("it prints how many fields it has compared");
    assert!(fields > 30, "{fields}");
}
