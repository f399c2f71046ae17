//! What a request's headers become, and what passes on along nested calls.

use kinoko::{prelude::*, testing::TestApp};
use serde_json::{Value, json};

#[derive(Dependencies)]
struct Inner;

#[service(name = "inner")]
impl Inner {
    #[rpc]
    fn seen(&self, #[inject] cx: WorkerContext) -> Value {
        let data: serde_json::Map<_, _> = cx.data().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        json!({
            "data": data,
            "traceparent": cx.trace_parent(),
            "tracestate": cx.header("tracestate"),
            "parents": cx.parent_call_ids(),
            "has_deadline": cx.deadline().is_some(),
        })
    }
}

struct Partner;

impl kinoko::http::Secured for Partner {
    const SCHEME: kinoko::http::SecurityScheme = kinoko::http::SecurityScheme::ApiKey { header: "X-Api-Key" };
}

impl<S: Sync> FromWorker<S> for Partner {
    async fn from_worker(_: &S, _: &WorkerContext) -> Result<Self, kinoko::protocol::Fault> {
        Err(LoginError::Unknown.to_fault())
    }
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum LoginError {
    #[error("no such user")]
    #[fault(http = 401)]
    Unknown,
}

#[derive(Dependencies)]
struct Outer {
    inner: InnerClient,
}

#[service(name = "outer")]
impl Outer {
    #[http(GET, "/seen")]
    async fn seen(&self) -> kinoko::Result<Value> {
        Ok(self.inner.seen().await?)
    }

    #[http(GET, "/language")]
    fn language(&self, #[inject] language: Option<Language>) -> Option<String> {
        language.map(|language| language.0)
    }

    #[http(GET, "/id")]
    fn id(&self, #[inject] cx: WorkerContext) -> String {
        cx.call_id().to_owned()
    }

    #[http(GET, "/token")]
    fn token(&self, #[inject] token: kinoko::AuthToken) -> Value {
        json!(token.0)
    }

    #[http(POST, "/orders")]
    fn order(&self, #[inject] key: kinoko::IdempotencyKey) -> String {
        key.0
    }

    #[http(GET, "/partner")]
    fn partner(&self, #[inject] _partner: Partner) {}

    #[http(GET, "/either")]
    fn either(&self, #[inject] _partner: Partner, #[inject] _again: Partner, #[inject] _token: kinoko::AuthToken) {}

    #[http(GET, "/login")]
    fn login(&self) -> Result<(), LoginError> {
        Err(LoginError::Unknown)
    }
}

#[tokio::test]
async fn the_context_passes_on_along_nested_calls() {
    let app = TestApp::new().service::<Inner>().service::<Outer>().start().await.unwrap();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let call = app.http().get("/seen").header("traceparent", trace).header("tracestate", "a=1");
    let call = call.header("x-request-id", "req-42").header("accept-language", "fr;q=0.5, de-CH");
    let answer = call.header("authorization", "Bearer abc").send().await.unwrap();
    assert_eq!(answer.header("x-request-id"), "req-42");
    let seen: Value = answer.json().unwrap();
    assert_eq!(seen["data"], json!({"language": "de-CH", "request_id": "req-42", "auth_token": "abc"}));
    let passed_on = seen["traceparent"].as_str().unwrap();
    assert!(passed_on.starts_with(&trace[..36]) && passed_on.ends_with("-01"), "{passed_on}");
    assert_ne!(passed_on, trace, "the call is a span of its own in the same trace");
    assert_eq!(seen["tracestate"], json!("a=1"));
    assert!(seen["parents"][0].as_str().unwrap().starts_with("outer.seen."), "{seen}");
    assert_eq!(seen["has_deadline"], json!(true));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_without_an_id_gets_the_calls_where_anybody_knows_it() {
    let app = TestApp::new().service::<Inner>().service::<Outer>().start().await.unwrap();
    let answer = app.http().get("/id").send().await.unwrap();
    assert!(answer.text().starts_with("outer.id."), "{answer:?}");
    assert_eq!(answer.header("x-request-id"), answer.text());
    // What could break a log line is not taken over.
    let odd = app.http().get("/id").header("x-request-id", "a b").send().await.unwrap();
    assert_eq!(odd.header("x-request-id"), odd.text());
    let refused = app.http().get("/token").send().await.unwrap();
    assert!(refused.header("x-request-id").starts_with("outer.token."), "{refused:?}");
    let nobody = app.http().get("/none").header("x-request-id", "req-43").send().await.unwrap();
    assert_eq!((nobody.status(), nobody.header("x-request-id")), (404, "req-43"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_requests_own_key_is_injected() {
    let app = TestApp::new().service::<Inner>().service::<Outer>().start().await.unwrap();
    let order = async |header: Option<&str>| {
        let call = app.http().post("/orders");
        let call = header.into_iter().fold(call, |call, key| call.header("idempotency-key", key));
        call.send().await.unwrap().text()
    };
    // In quotes by the IETF's draft, and bare as most send it.
    for header in ["ada-17", "\"ada-17\""] {
        assert_eq!(order(Some(header)).await, "ada-17");
    }
    for header in [None, Some("")] {
        assert!(order(header).await.starts_with("outer.order."), "where there is none it is the call's id");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_injected_is_asked_for_in_the_document() {
    let app = TestApp::new().service::<Inner>().service::<Outer>().start().await.unwrap();
    let document: Value = app.http().get("/openapi.json").send().await.unwrap().json().unwrap();
    assert_eq!(document["paths"]["/token"]["get"]["security"], json!([{"bearer": []}]));
    assert_eq!(document["paths"]["/language"]["get"]["security"], Value::Null);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_stranger_is_asked_who_it_is() {
    let app = TestApp::new().service::<Inner>().service::<Outer>().start().await.unwrap();
    let refused = app.http().get("/token").send().await.unwrap();
    assert_eq!((refused.status(), refused.header("www-authenticate")), (401, "Bearer"));
    let taken = app.http().get("/token").header("authorization", "bearer xyz").send().await.unwrap();
    assert_eq!(taken.json::<String>().unwrap(), "xyz");
    for (path, schemes) in [
        ("/partner", vec![r#"ApiKey header="x-api-key""#]),
        ("/either", vec![r#"ApiKey header="x-api-key""#, "Bearer"]),
        // Nothing is known of what it wants.
        ("/login", vec!["Bearer"]),
    ] {
        let refused = app.http().get(path).send().await.unwrap();
        let asked = refused.headers().get_all("www-authenticate").iter().map(|value| value.to_str().unwrap());
        assert_eq!((refused.status(), asked.collect::<Vec<_>>()), (401, schemes), "{path}");
    }
    app.stop().await.unwrap();
}
