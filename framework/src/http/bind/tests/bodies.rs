//! JSON bodies.

use super::*;

#[derive(Debug, PartialEq, Deserialize, garde::Validate, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NewOrder {
    #[garde(length(min = 3, max = 20))]
    customer_name: String,
    #[garde(dive)]
    #[serde(default)]
    lines: Vec<Line>,
    #[garde(skip)]
    password: Option<String>,
    #[garde(custom(even))]
    #[serde(default)]
    magic_number: u32,
}

#[derive(Debug, PartialEq, Deserialize, garde::Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    #[garde(skip)]
    sku: String,
    #[garde(range(min = 1, max = 99))]
    qty: u32,
}

fn even(number: &u32, _: &()) -> garde::Result {
    if number.is_multiple_of(2) { Ok(()) } else { Err(garde::Error::new("must be even")) }
}

route!(Whole { order: Valid<NewOrder> = ParamPlace::Body(JSON), true; });
route!(Many { orders: Vec<Valid<NewOrder>> = ParamPlace::Body(JSON), true; });
route!(Maybe { order: Option<Valid<NewOrder>> = ParamPlace::Body(JSON), false; });
route!(Fields {
    id: u32 = ParamPlace::Path, true;
    order: Valid<NewOrder> = ParamPlace::Field(JSON), true;
    count: u8 = ParamPlace::Field(JSON), true;
    note: Option<String> = ParamPlace::Field(JSON), false;
});

#[test]
fn a_body_is_one_parameter_or_the_fields_of_several() {
    let order = r#"{"customerName": "Ada", "lines": [{"sku": "x", "qty": 1}]}"#;
    json_body(order).bound(Whole::route(), |args: Whole| assert_eq!(args.order.unwrap().lines[0].qty, 1)).unwrap();
    let fields = format!(r#"{{"more": [1], "order": {order}, "count": 3}}"#);
    json_body(&fields)
        .path("id", "1")
        .bound(Fields::route(), |args: Fields| {
            assert_eq!((args.id, args.count, args.note), (Some(1), Some(3), None));
            assert_eq!(args.order.unwrap().customer_name, "Ada");
        })
        .unwrap();
    let none = Sent::default().bound(Maybe::route(), |args: Maybe| args.order.is_none());
    assert_eq!(none, Ok(true));
    let null = json_body("null").bound(Maybe::route(), |args: Maybe| args.order == Some(None));
    assert_eq!(null, Ok(true));
}

#[test]
fn a_float_without_a_fraction_is_an_integer_as_in_json_schema() {
    let order = |qty: &str| format!(r#"{{"customerName": "Ada", "lines": [{{"sku": "x", "qty": {qty}}}]}}"#);
    let whole = json_body(&order("5.0")).bound(Whole::route(), |args: Whole| args.order.unwrap().lines[0].qty);
    assert_eq!(whole, Ok(5));
    let fields = format!(r#"{{"order": {}, "count": 3e0}}"#, order("1e1"));
    let sent = json_body(&fields).path("id", "1");
    let fields = sent.bound(Fields::route(), |args: Fields| (args.id, args.order.unwrap().lines[0].qty, args.count));
    assert_eq!(fields, Ok((Some(1), 10, Some(3))));
    assert_eq!(json_body(&order("5.5")).wrong::<Whole>(Whole::route()), ["body /lines/0/qty type 5.5"]);
    assert_eq!(json_body(&order("1000.0")).wrong::<Whole>(Whole::route()).len(), 1);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let order = r#"{"customerName": "A", "lines": [{"sku": 1, "qty": 100, "size": 2}, {"sku": "x", "qty": 5}, {}]}"#;
    let below = [
        r#"/customerName minLength "A""#,
        "/lines/0/size additionalProperties 2",
        r#"/lines/0/qty maximum 100"#,
        r#"/lines/0/sku type 1"#,
        "/lines/2/qty required",
        "/lines/2/sku required",
    ];
    let mut expected: Vec<_> = below.iter().map(|text| format!("body {text}")).collect();
    let mut wrong = json_body(order).wrong::<Whole>(Whole::route());
    expected.sort();
    wrong.sort();
    assert_eq!(wrong, expected);
    let fields = format!(r#"{{"order": {order}, "note": 5}}"#);
    let mut wrong = json_body(&fields).path("id", "x").wrong::<Fields>(Fields::route());
    let mut expected: Vec<_> = below.iter().map(|text| format!("body /order{text}")).collect();
    let others = [r#"path id type "x""#, "body /count required", "body /note type 5"];
    expected.extend(others.map(str::to_owned));
    expected.sort();
    wrong.sort();
    assert_eq!(wrong, expected);
}

#[test]
fn rules_that_no_schema_knows_are_told_by_serdes_names() {
    let order = r#"{"customerName": "Ada", "magicNumber": 3}"#;
    assert_eq!(json_body(order).wrong::<Whole>(Whole::route()), ["body /magicNumber valid 3"]);
    let orders = format!(r#"[{{"customerName": "Ada"}}, {order}]"#);
    assert_eq!(json_body(&orders).wrong::<Many>(Many::route()), ["body /1/magicNumber valid 3"]);
    assert_eq!(json_body(order).wrong::<Maybe>(Maybe::route()), ["body /magicNumber valid 3"]);
    let fields = format!(r#"{{"count": 1, "order": {order}}}"#);
    let wrong = json_body(&fields).path("id", "1").wrong::<Fields>(Fields::route());
    assert_eq!(wrong, ["body /order/magicNumber valid 3"]);
}

#[test]
fn a_body_that_is_not_there_or_no_json_has_its_own_answer() {
    assert_eq!(Sent::default().wrong::<Whole>(Whole::route()), ["body  required"]);
    let wrong = Sent::default().path("id", "1").wrong::<Fields>(Fields::route());
    assert_eq!(wrong, ["body /order required", "body /count required"]);
    let deep = "[".repeat(5_000);
    for (sent, status, code) in [
        (json_body("{\"customerName\": \"Ada\","), 400, "MALFORMED_BODY"),
        (json_body("{\"customerName\": NaN}"), 400, "MALFORMED_BODY"),
        (json_body("{\"customerName\": 5} x"), 400, "MALFORMED_BODY"),
        (json_body(&deep), 400, "TOO_DEEP"),
        (body("application/json", [b'"', 0xff, b'"']), 400, "MALFORMED_BODY"),
        (body("text/plain", "{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (Sent { body: b"{}".to_vec(), ..Sent::default() }, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (json_body("[]"), 422, "INVALID_REQUEST"),
    ] {
        let fault = sent.bound::<Whole, _>(Whole::route(), drop).unwrap_err();
        assert_eq!((fault.http, fault.code.as_deref()), (Some(status), Some(code)), "{fault}");
    }
    let fault = json_body("{\n  \"customerName\": x}").bound::<Whole, _>(Whole::route(), drop).unwrap_err();
    assert!(fault.value.contains("line 2 column 19"), "{fault}");
    assert_eq!(json_body("5").path("id", "1").wrong::<Fields>(Fields::route()), ["body  type 5"]);
    let wrong = json_body(r#"{"count": 1, "count": 2}"#).path("id", "1").wrong::<Fields>(Fields::route());
    assert_eq!(wrong, ["body /count type", "body /order required"]);
}

#[derive(Debug, Deserialize, garde::Validate, schemars::JsonSchema)]
struct Short {
    #[garde(length(min = 1))]
    #[serde(default = "one")]
    name: String,
    #[garde(length(max = 1))]
    #[serde(default)]
    tags: Vec<String>,
}

fn one() -> String {
    "x".into()
}

route!(One { short: Valid<Short> = ParamPlace::Body(JSON), true; });

#[test]
fn one_is_not_told_as_several() {
    for (body, said) in [
        (r#"{"name": ""}"#, "body /name: must be 1 character long at least, not 0"),
        (r#"{"tags": ["a", "b"]}"#, "body /tags: must have 1 item at most, not 2"),
    ] {
        assert_eq!(json_body(body).bound::<One, _>(One::route(), drop).unwrap_err().value, said);
    }
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Stock {
    left: HashMap<String, u32>,
    #[expect(dead_code, reason = "only whether it is read is asked")]
    limit: u32,
}

route!(Counted { stock: Stock = ParamPlace::Body(JSON), true; });

#[test]
fn a_field_that_is_given_twice_is_told_by_its_name() {
    let twice = r#"{"customerName": "Ada", "customerName": "Bob"}"#;
    let fault = json_body(twice).bound::<Whole, _>(Whole::route(), drop).unwrap_err();
    assert_eq!(fault.value, "body /customerName: is given twice");
    let order = r#"{"customerName": "Ada", "lines": [{"sku": "x", "qty": 1, "qty": 2.0}]}"#;
    // A number that is read at leisure lets no key through that was refused before.
    let mut wrong = json_body(order).wrong::<Whole>(Whole::route());
    wrong.retain(|line| !line.ends_with("2.0"));
    assert_eq!(wrong, ["body /lines/0/qty type"]);
    let fields = r#"{"order": {"customerName": "Ada"}, "count": 3.0, "count": 3.0}"#;
    let mut wrong = json_body(fields).path("id", "1").wrong::<Fields>(Fields::route());
    wrong.retain(|line| !line.ends_with("3.0"));
    assert_eq!(wrong, ["body /count type"]);
    // What a map does with its keys is its own business.
    let map = json_body(r#"{"left": {"x": 1, "x": 2}, "limit": 3}"#);
    assert_eq!(map.bound(Counted::route(), |args: Counted| args.stock.unwrap().left["x"]), Ok(2));
    let refused = json_body(r#"{"left": {"x": 1, "x": 2}, "limit": "x"}"#).wrong::<Counted>(Counted::route());
    assert_eq!(refused, [r#"body /limit type "x""#]);
}

#[test]
fn secrets_in_a_body_are_not_repeated() {
    let wrong = json_body(r#"{"customerName": "Ada", "password": 12345}"#).wrong::<Whole>(Whole::route());
    assert_eq!(wrong, ["body /password type"]);
    let large = format!(r#"{{"customerName": "Ada", "password": 12345, "more": "{}"}}"#, "x".repeat(70_000));
    let fault = json_body(&large).bound::<Whole, _>(Whole::route(), drop).unwrap_err();
    assert!(!format!("{fault:?}").contains("12345"), "{fault:?}");
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Payment {
    #[allow(dead_code)]
    Card { number: String, months: u8 },
    #[allow(dead_code)]
    Cash { amount: u32 },
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
enum Shape {
    #[allow(dead_code)]
    Circle { radius: u32 },
    #[allow(dead_code)]
    Square(u32),
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[allow(dead_code)]
struct Chosen {
    payment: Payment,
    shape: Option<Shape>,
}

route!(Choice { chosen: Chosen = ParamPlace::Body(JSON), true; });

#[test]
fn of_several_forms_the_one_that_was_meant_is_told_about() {
    for (text, expected) in [
        (r#"{"payment": {"kind": "card", "number": "1", "months": "x"}}"#, r#"body /payment/months type "x""#),
        (r#"{"payment": {"kind": "cash"}}"#, "body /payment/amount required"),
        (r#"{"payment": {"kind": "gold"}}"#, r#"body /payment/kind enum "gold""#),
        (
            r#"{"payment": {"kind": "cash", "amount": 1}, "shape": {"Circle": {"radius": -1}}}"#,
            "body /shape/Circle/radius minimum -1",
        ),
        (r#"{"payment": {"kind": "cash", "amount": 1}, "shape": 5}"#, "body /shape oneOf 5"),
    ] {
        assert_eq!(json_body(text).wrong::<Choice>(Choice::route()), [expected], "{text}");
    }
}

struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("boom")
    }
}

route!(Broken { x: Panics = ParamPlace::Body(JSON), true; });

#[test]
fn a_type_that_panics_is_a_fault() {
    let fault = json_body("1").bound::<Broken, _>(Broken::route(), drop).unwrap_err();
    assert!(fault.internal && fault.value == "boom", "{fault:?}");
}
