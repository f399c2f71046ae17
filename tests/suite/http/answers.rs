//! What a method's value becomes.

use axum::{
    Json,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use kinoko::{http::axum, prelude::*, testing::TestApp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    sku: String,
    quantity: u32,
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum OrderError {
    #[error("only {left} left")]
    #[fault(code = "OUT_OF_STOCK", http = 409, retry = false)]
    OutOfStock { left: u32 },
    #[error("refused")]
    Refused,
    #[error("the database said: {0}")]
    #[fault(internal)]
    Broken(#[from] std::io::Error),
}

/// An error that is a response itself.
#[derive(Debug)]
struct Teapot;

impl IntoResponse for Teapot {
    fn into_response(self) -> Response {
        (StatusCode::IM_A_TEAPOT, "short and stout").into_response()
    }
}

type Fallible<T> = Result<T, OrderError>;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[http(GET, "/json")]
    fn json(&self) -> Line {
        Line { sku: "A-1".into(), quantity: 2 }
    }

    #[http(GET, "/list")]
    async fn list(&self) -> Vec<Line> {
        Vec::new()
    }

    #[http(GET, "/text")]
    fn text(&self) -> String {
        "plain".to_owned()
    }

    #[http(GET, "/page")]
    fn page(&self) -> Html<&'static str> {
        Html("<p>")
    }

    #[http(POST, "/created", status = 201)]
    fn created(&self) -> Json<u32> {
        Json(7)
    }

    #[http(GET, "/accepted", status = 201)]
    fn accepted(&self) -> (StatusCode, Json<u32>) {
        (StatusCode::ACCEPTED, Json(7))
    }

    #[http(DELETE, "/nothing")]
    fn nothing(&self) {}

    #[http(DELETE, "/nothing/fallible")]
    fn nothing_fallible(&self) -> Result<(), OrderError> {
        Ok(())
    }

    #[http(GET, "/emptied", status = 204)]
    fn emptied(&self) -> Fallible<Line> {
        Ok(Line { sku: "A-1".into(), quantity: 2 })
    }

    #[http(GET, "/alias")]
    fn alias(&self) -> Fallible<Line> {
        Err(OrderError::OutOfStock { left: 3 })
    }

    #[http(GET, "/refused")]
    fn refused(&self) -> Result<Line, OrderError> {
        Err(OrderError::Refused)
    }

    #[http(GET, "/broken")]
    fn broken(&self) -> Result<Line, OrderError> {
        Err(std::io::Error::other("password=hunter2"))?
    }

    #[http(GET, "/internal")]
    fn internal(&self) -> kinoko::Result<Line> {
        Err(kinoko::Error::msg("password=hunter2"))
    }

    #[http(GET, "/panics")]
    fn panics(&self) -> Line {
        panic!("password=hunter2")
    }

    #[http(GET, "/teapot")]
    fn teapot(&self) -> Result<Line, Teapot> {
        Err(Teapot)
    }
}

async fn answered(method: &str, path: &str) -> (u16, String, String) {
    let app = TestApp::new().service::<Orders>().start().await.unwrap();
    let answer = app.http().request(method.parse().unwrap(), path).send().await.unwrap();
    let seen = (answer.status(), answer.header("content-type").to_owned(), answer.text());
    app.stop().await.unwrap();
    seen
}

#[tokio::test]
async fn values_are_json_and_responses_are_themselves() {
    let json = "application/json";
    for (method, path, status, content_type, body) in [
        ("GET", "/json", 200, json, r#"{"sku":"A-1","quantity":2}"#),
        ("GET", "/list", 200, json, "[]"),
        ("GET", "/text", 200, "text/plain; charset=utf-8", "plain"),
        ("GET", "/page", 200, "text/html; charset=utf-8", "<p>"),
        ("POST", "/created", 201, json, "7"),
        ("GET", "/accepted", 202, json, "7"),
        ("DELETE", "/nothing", 204, "", ""),
        ("DELETE", "/nothing/fallible", 204, "", ""),
        ("GET", "/emptied", 204, "", ""),
        ("HEAD", "/json", 200, json, ""),
        ("GET", "/teapot", 418, "text/plain; charset=utf-8", "short and stout"),
    ] {
        let expected = (status, content_type.to_owned(), body.to_owned());
        assert_eq!(answered(method, path).await, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn errors_are_problems_with_their_status_and_code() {
    for (path, status, code, detail) in
        [("/alias", 409, json!("OUT_OF_STOCK"), "only 3 left"), ("/refused", 400, json!("REFUSED"), "refused")]
    {
        let (seen, content_type, body) = answered("GET", path).await;
        assert_eq!((seen, &*content_type), (status, "application/problem+json"));
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&problem["code"], &problem["detail"], &problem["status"]), (&code, &json!(detail), &json!(status)));
    }
}

#[tokio::test]
async fn what_nobody_foresaw_is_500_with_the_call_id_and_without_its_text() {
    for path in ["/broken", "/internal", "/panics"] {
        let (status, content_type, body) = answered("GET", path).await;
        assert_eq!((status, &*content_type), (500, "application/problem+json"), "{path}");
        assert!(!body.contains("hunter2"), "{body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert!(problem["call_id"].as_str().unwrap().starts_with("orders."), "{problem}");
    }
}
