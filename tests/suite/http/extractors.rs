//! Parameters that axum reads.

use axum::{
    body::Bytes,
    extract::{OriginalUri, Path, Query},
    http::HeaderMap,
};
use kinoko::{http::axum, prelude::*, testing::TestApp};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Page {
    limit: u32,
}

struct Panics;

impl axum::extract::FromRequestParts<()> for Panics {
    type Rejection = axum::http::StatusCode;

    async fn from_request_parts(_: &mut axum::http::request::Parts, _: &()) -> Result<Self, Self::Rejection> {
        panic!("as the test wants it: s3cret")
    }
}

#[derive(Dependencies)]
struct Files;

#[service(name = "files")]
impl Files {
    #[http(GET, "/files/{id}")]
    fn get(&self, Path(id): Path<u32>, Query(page): Query<Page>, #[extract] headers: HeaderMap) -> Value {
        json!({"id": id, "limit": page.limit, "agent": headers.get("user-agent").map(|agent| agent.to_str().unwrap())})
    }

    #[http(PUT, "/files/{id}")]
    async fn put(&self, Path(id): Path<u32>, #[inject] cx: WorkerContext, #[extract] body: Bytes) -> Value {
        json!({"id": id, "bytes": body.len(), "method": cx.entrypoint()})
    }

    #[http(GET, "/panic")]
    fn panic(&self, #[extract] _panics: Panics) {}

    #[http(GET, "/whole/{*rest}")]
    fn whole(&self, OriginalUri(uri): OriginalUri) -> String {
        uri.to_string()
    }
}

#[tokio::test]
async fn extractors_read_the_request_in_their_order() {
    let app = TestApp::new().service::<Files>().start().await.unwrap();
    let got = app.http().get("/files/7?limit=3").header("user-agent", "test").send().await.unwrap();
    assert_eq!(got.json::<Value>().unwrap(), json!({"id": 7, "limit": 3, "agent": "test"}));
    let put = app.http().put("/files/7").body("application/pdf", "12345").send().await.unwrap();
    assert_eq!(put.json::<Value>().unwrap(), json!({"id": 7, "bytes": 5, "method": "put"}));
    assert_eq!(app.http().get("/whole/a/b?c=d").send().await.unwrap().text(), "/whole/a/b?c=d");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn an_extractor_that_panics_is_answered_for() {
    let app = TestApp::new().service::<Files>().start().await.unwrap();
    let answer = app.http().get("/panic").send().await.unwrap();
    assert_eq!((answer.status(), answer.header("content-type")), (500, "application/problem+json"));
    assert!(!answer.text().contains("s3cret"), "{answer:?}");
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Guarded;

#[service(name = "guarded")]
impl Guarded {
    #[http(GET, "/refused")]
    fn refused(&self, #[extract] _refusing: Refusing) {}
}

/// A refusal with a header of its own.
struct Refusing;

impl<S: Sync> axum::extract::FromRequestParts<S> for Refusing {
    type Rejection = (axum::http::StatusCode, [(&'static str, &'static str); 1], &'static str);
    async fn from_request_parts(_: &mut axum::http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Err((axum::http::StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic")], "who are you?"))
    }
}

#[tokio::test]
async fn what_an_extractor_says_beside_its_text_is_kept() {
    let app = TestApp::new().service::<Guarded>().start().await.unwrap();
    let refused = app.http().get("/refused").send().await.unwrap();
    assert_eq!((refused.status(), refused.header("www-authenticate")), (401, "Basic"));
    assert_eq!(refused.json::<Value>().unwrap()["detail"], json!("who are you?"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_an_extractor_refuses_is_a_problem() {
    let app = TestApp::new().service::<Files>().start().await.unwrap();
    for path in ["/files/seven?limit=3", "/files/7"] {
        let refused = app.http().get(path).send().await.unwrap();
        assert_eq!(
            (refused.status(), refused.header("content-type")),
            (400, "application/problem+json"),
            "{refused:?}"
        );
        assert!(!refused.json::<Value>().unwrap()["detail"].as_str().unwrap().is_empty());
    }
    app.stop().await.unwrap();
}
