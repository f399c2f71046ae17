//! `Valid`, at every door of a service.

use kinoko::{CallError, Valid, http::Problem, prelude::*, testing::TestApp};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, garde::Validate, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NewOrder {
    #[garde(length(min = 3))]
    customer_name: String,
    #[garde(length(min = 1), dive)]
    lines: Vec<Line>,
    #[garde(custom(a_known_code))]
    voucher_code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, garde::Validate, schemars::JsonSchema)]
struct Line {
    #[garde(range(min = 1))]
    quantity: u32,
}

fn a_known_code(code: &Option<String>, _: &()) -> garde::Result {
    match code.as_deref() {
        None | Some("SPRING") => Ok(()),
        Some(_) => Err(garde::Error::new("is no voucher")),
    }
}

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    #[http(POST, "/orders", status = 201)]
    fn place(&self, #[body] order: Valid<NewOrder>) -> usize {
        order.lines.len()
    }

    #[rpc]
    fn place_all(&self, orders: Vec<Valid<NewOrder>>) -> usize {
        orders.len()
    }
}

fn order(customer_name: &str, quantity: u32, voucher: Option<&str>) -> NewOrder {
    NewOrder {
        customer_name: customer_name.into(),
        lines: vec![Line { quantity }],
        voucher_code: voucher.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_request_that_breaks_rules_is_told_each() {
    let app = TestApp::new().service::<Orders>().start().await.unwrap();
    let http = app.http();
    let placed = http.post("/orders").json(&order("Ada", 1, Some("SPRING"))).send().await.unwrap();
    assert_eq!((placed.status(), &*placed.text()), (201, "1"));
    let refused = http.post("/orders").json(&order("A", 0, Some("WINTER"))).send().await.unwrap();
    let problem: Problem = refused.json().unwrap();
    assert_eq!((refused.status(), problem.errors.len()), (422, 3), "{problem:?}");
    for (pointer, rule, value) in [
        ("/customerName", "minLength", json!("A")),
        ("/lines/0/quantity", "minimum", json!(0)),
        ("/voucherCode", "valid", json!("WINTER")),
    ] {
        let error = problem.errors.iter().find(|error| error.pointer.as_deref() == Some(pointer)).unwrap();
        assert_eq!((&*error.rule, &error.value), (rule, &Some(value)), "{problem:?}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_that_breaks_rules_is_told_argument_field_and_rule() {
    let app = TestApp::new().service::<Orders>().start().await.unwrap();
    for (method, kwargs, text) in [
        (
            "place",
            json!({"order": order("A", 0, None)}),
            "argument `order`: customer_name: length is lower than 3; lines[0].quantity: lower than 1",
        ),
        (
            "place_all",
            json!({"orders": [order("Ada", 1, None), order("Ada", 0, None)]}),
            "argument `orders[1]`: lines[0].quantity: lower than 1",
        ),
    ] {
        let mut call = app.proxy().call("orders", method);
        for (name, value) in kwargs.as_object().unwrap() {
            call = call.kwarg(name, value);
        }
        match call.await {
            Err(CallError::BadRequest(refused)) => assert_eq!(refused, text),
            other => panic!("{other:?}"),
        }
    }
    app.stop().await.unwrap();
}
