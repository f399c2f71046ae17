//! How arguments bind: by position, by name, mixed; and what is said of those that do not.

use kinoko::{CallError, RunningApp, Value, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    sku: String,
    qty: u32,
}

#[derive(Dependencies)]
struct Arguments;

fn fallback() -> u32 {
    7
}

#[service(name = "arguments")]
impl Arguments {
    #[rpc]
    fn sum(&self, a: i64, b: i64, #[default(fallback())] c: u32, d: Option<i64>) -> i64 {
        a * 1000 + b * 100 + i64::from(c) * 10 + d.unwrap_or(0)
    }

    #[rpc]
    fn borrowed(&self, text: &str, numbers: &[u32], line: &Line) -> String {
        format!("{text} {} {}×{}", numbers.iter().sum::<u32>(), line.qty, line.sku)
    }

    #[rpc]
    fn lines(&self, lines: Vec<Line>) -> usize {
        lines.len()
    }

    #[rpc(sensitive(password))]
    fn login(&self, user: String, password: u32) -> String {
        format!("{user}{password}")
    }

    #[rpc]
    fn nothing(&self) -> u8 {
        1
    }

    #[rpc]
    fn defaulted(&self, #[default("none")] text: String) -> String {
        text
    }
}

async fn app() -> RunningApp {
    App::new().service::<Arguments>().start().await.unwrap()
}

/// Calls with these arguments and gives the result, or the text of the refusal.
async fn call(app: &RunningApp, method: &str, args: Value, kwargs: Value) -> Result<Value, String> {
    let mut call = app.proxy().call("arguments", method);
    for arg in args.as_array().unwrap() {
        call = call.arg(arg);
    }
    for (name, value) in kwargs.as_object().unwrap() {
        call = call.kwarg(name, value);
    }
    match call.await {
        Ok(value) => Ok(value),
        Err(CallError::BadRequest(text)) => Err(text),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn arguments_bind_by_position_by_name_and_mixed() {
    let app = app().await;
    for (args, kwargs, expected) in [
        (json!([1, 2, 3, 4]), json!({}), 1234),
        (json!([]), json!({"d": 4, "c": 3, "b": 2, "a": 1}), 1234),
        (json!([1, 2]), json!({"d": 4, "c": 3}), 1234),
        (json!([1, 2]), json!({}), 1270),
        (json!([1, 2]), json!({"d": null}), 1270),
    ] {
        assert_eq!(call(&app, "sum", args.clone(), kwargs.clone()).await, Ok(json!(expected)), "{args} {kwargs}");
    }
    assert_eq!(call(&app, "nothing", json!([]), json!({})).await, Ok(json!(1)));
    assert_eq!(call(&app, "defaulted", json!([]), json!({})).await, Ok(json!("none")), "a default converts by Into");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn refusals_name_the_argument() {
    let app = app().await;
    for (method, args, kwargs, expected) in [
        ("sum", json!([1]), json!({}), "missing argument `b`"),
        ("sum", json!([1, 2, 3, 4, 5, 6]), json!({}), "takes 4 arguments, got 6"),
        ("nothing", json!([1]), json!({}), "takes 0 arguments, got 1"),
        ("sum", json!([1, 2]), json!({"a": 1}), "argument `a` given twice"),
        ("sum", json!([]), json!({"a": 1, "bb": 2}), "unknown argument `bb`: did you mean `b`?"),
        ("sum", json!([]), json!({"quantity": 2}), "unknown argument `quantity`"),
        ("sum", json!([1, "two"]), json!({}), "argument `b`: invalid type: string \"two\", expected i64"),
        ("sum", json!([1, 2]), json!({"c": null}), "argument `c`: invalid type: null, expected u32"),
        (
            "lines",
            json!([[{"sku": "A", "qty": 1}, {"sku": "B", "qty": "x"}]]),
            json!({}),
            "argument `lines[1].qty`: invalid type: string \"x\", expected u32",
        ),
        ("lines", json!([[{"sku": "A"}]]), json!({}), "argument `lines[0]`: missing field `qty`"),
    ] {
        assert_eq!(call(&app, method, args, kwargs).await, Err(expected.to_owned()), "{method}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_sensitive_value_is_not_repeated_in_a_refusal() {
    let app = app().await;
    let refusal = call(&app, "login", json!(["ada", "hunter2"]), json!({})).await.unwrap_err();
    assert_eq!(refusal, "argument `password`: wrong type");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn references_are_taken_and_escapes_in_json_do_no_harm() {
    let app = app().await;
    let typed = app.client::<ArgumentsClient>();
    let line = Line { sku: "A\"1".into(), qty: 2 };
    assert_eq!(typed.borrowed("né\n", &[1, 2], &line).await.unwrap(), "né\n 3 2×A\"1");
    // JSON with escapes cannot be borrowed from; Python escapes every letter beyond ASCII.
    let untyped = call(&app, "borrowed", json!(["né\n", [1, 2]]), json!({"line": {"sku": "A\"1", "qty": 2}})).await;
    assert_eq!(untyped, Ok(json!("né\n 3 2×A\"1")));
    app.stop().await.unwrap();
}

/// A type with a bug.
#[derive(serde::Serialize)]
struct Unreadable;

impl<'de> serde::Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("cannot be read")
    }
}

#[derive(Dependencies)]
struct Reader;

#[service(name = "arguments_reader")]
impl Reader {
    #[rpc]
    fn read(&self, _unreadable: Unreadable) {}
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_arguments_are_read_is_that_calls_fault() {
    let app = App::new().service::<Reader>().start().await.unwrap();
    // It went back to its queue and panicked again, as fast as it could.
    let error = app.client::<ReaderClient>().read(Unreadable).await.unwrap_err();
    assert_eq!(error.to_string(), "Panic: cannot be read");
    app.stop().await.unwrap();
}
