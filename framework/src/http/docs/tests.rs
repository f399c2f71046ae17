use axum::{Router, body::Body, http::HeaderMap};
use serde_json::json;
use tower::ServiceExt;

use super::*;
use crate::{
    App, RunningApp, Settings,
    config::Mode,
    http::{ops::Token, router::router},
    prelude::*,
    protocol::Value,
};

#[derive(Dependencies)]
struct Greeting;

#[derive(Debug, thiserror::Error, ServiceError)]
enum Refused {
    #[error("{who} is not greeted")]
    #[fault(code = "NOT_GREETED")]
    NotGreeted { who: String },
}

/// Greets.
#[service(name = "greeting")]
impl Greeting {
    #[rpc]
    fn hello(&self, name: String) -> Result<String, Refused> {
        match &*name {
            "Eve" => Err(Refused::NotGreeted { who: name }),
            _ => Ok(format!("Hello, {name}!")),
        }
    }
}

const TOKEN: &str = "a token for the tests";
const HOST: (&str, &str) = ("host", "127.0.0.1:8000");

async fn started() -> RunningApp {
    App::new().service::<Greeting>().start().await.unwrap()
}

fn documents(sending: Option<Sending>) -> Router {
    let services: &[&'static ServiceDescriptor] = &[<Greeting as crate::service::Service>::DESCRIPTOR];
    let info = Info::new(services, Some("<1.0> {{token}}"), &Settings::default()).unwrap();
    router(routes(&info, services, sending)).unwrap().router
}

fn sending(app: &RunningApp, settings: &str) -> Sending {
    let token = Token::read(&Settings::from_yaml(settings).unwrap(), Mode::Development).unwrap();
    Sending { proxy: app.proxy(), events: app.events(), token }
}

fn with_token(app: &RunningApp) -> Router {
    documents(Some(sending(app, &format!("ops: {{token: {TOKEN}}}"))))
}

async fn asked(router: &Router, request: Request) -> (StatusCode, HeaderMap, Vec<u8>) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    (head.status, head.headers, axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

async fn get(router: &Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    asked(router, request.body(Body::empty()).unwrap()).await
}

async fn post(router: &Router, path: &str, headers: &[(&str, &str)], body: &Value) -> (StatusCode, Value) {
    let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
    let (status, _, body) = asked(router, request.body(Body::from(body.to_string())).unwrap()).await;
    (status, serde_json::from_slice(&body).unwrap())
}

async fn sent(router: &Router, path: &str, body: Value) -> (StatusCode, Value) {
    let authorization = format!("Bearer {TOKEN}");
    post(router, path, &[HOST, ("authorization", &authorization), ("content-type", "application/json")], &body).await
}

#[tokio::test]
async fn documents_are_packed_where_that_is_taken_and_not_sent_twice() {
    let router = documents(None);
    for path in ["/openapi.json", "/asyncapi.json", "/docs/page.js", "/docs/swagger-ui.js", "/docs/swagger-ui.css"] {
        let (status, headers, plain) = get(&router, path, &[]).await;
        assert_eq!(status, 200, "{path}");
        assert!(headers.get("content-encoding").is_none());
        let (_, packed_headers, packed) = get(&router, path, &[("accept-encoding", "br, gzip;q=0.5")]).await;
        assert_eq!(packed_headers["content-encoding"], "gzip");
        assert!(packed.len() < plain.len(), "{path}: {} and {} bytes", packed.len(), plain.len());
        let tag = headers["etag"].to_str().unwrap();
        let (status, _, again) = get(&router, path, &[("if-none-match", tag)]).await;
        assert_eq!((status.as_u16(), again.len()), (304, 0), "{path}");
    }
    let (.., headers, body) = get(&router, "/asyncapi.json", &[("accept-encoding", "gzip;q=0")]).await;
    assert!(headers.get("content-encoding").is_none());
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(document["info"]["title"], "greeting");
}

#[tokio::test]
async fn the_page_refuses_all_that_is_not_its_own() {
    let (status, headers, page) = get(&documents(None), "/docs", &[HOST]).await;
    assert_eq!(status, 200);
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("greeting <small>&lt;1.0&gt; &#123;&#123;token}}</small>"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    let (status, headers, _) = get(&documents(None), "/docs/", &[]).await;
    assert_eq!((status.as_u16(), headers["location"].as_bytes()), (308, &b"../docs"[..]));
}

#[tokio::test]
async fn a_token_that_the_program_made_is_in_the_page_for_who_opens_it_here() {
    let app = started().await;
    let sending = sending(&app, "");
    let token = sending.token.to_print().unwrap().to_owned();
    let router = documents(Some(sending));
    let page = |headers: &'static [(&'static str, &'static str)]| {
        let router = router.clone();
        async move { String::from_utf8(get(&router, "/docs", headers).await.2).unwrap() }
    };
    assert!(page(&[HOST]).await.contains(&token));
    for elsewhere in [
        &[("host", "evil.example")][..],
        &[HOST, ("sec-fetch-site", "cross-site")],
        &[HOST, ("origin", "http://evil.example")],
    ] {
        assert!(!page(elsewhere).await.contains(&token), "{elsewhere:?}");
    }
    // One that it was given is for those who know it.
    let page = String::from_utf8(get(&with_token(&app), "/docs", &[HOST]).await.2).unwrap();
    assert!(page.contains("data-sending=\"true\" data-token=\"\""), "{page}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_is_sent_and_its_reply_or_typed_error_is_shown() {
    let app = started().await;
    let router = with_token(&app);
    let call = |name: &str| json!({ "service": "greeting", "method": "hello", "kwargs": { "name": name } });
    let (status, answer) = sent(&router, "/docs/send/rpc", call("Ada")).await;
    assert_eq!((status.as_u16(), answer), (200, json!({ "result": "Hello, Ada!" })));
    let (status, answer) = sent(&router, "/docs/send/rpc", call("Eve")).await;
    assert_eq!(status, 200);
    let error = &answer["error"];
    assert_eq!((&error["code"], &error["text"]), (&json!("NOT_GREETED"), &json!("Eve is not greeted")));
    assert_eq!(error["data"], json!({ "who": "Eve" }));
    let unknown = json!({ "service": "greeting", "method": "helo" });
    let (_, answer) = sent(&router, "/docs/send/rpc", unknown).await;
    assert!(answer["error"]["text"].as_str().unwrap().contains("helo"), "{answer}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_is_dispatched_and_says_whether_anybody_listens() {
    let app = started().await;
    let event = json!({ "source": "orders", "event": "placed", "payload": { "order": 7 } });
    let (status, answer) = sent(&with_token(&app), "/docs/send/event", event).await;
    assert_eq!((status.as_u16(), &answer["routed"]), (200, &json!(false)));
    assert!(answer["message_id"].is_string());
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_may_not_be_sent_is_refused_and_nothing_runs() {
    let app = started().await;
    let router = with_token(&app);
    let (token, json_type) = (format!("Bearer {TOKEN}"), ("content-type", "application/json"));
    let token = ("authorization", &*token);
    let call = json!({ "service": "greeting", "method": "hello", "kwargs": { "name": "Ada" } });
    for (headers, expected) in [
        (&[HOST, json_type][..], 401),
        (&[HOST, json_type, ("authorization", "Bearer no")], 401),
        (&[("host", "evil.example"), token, json_type], 403),
        (&[HOST, token, json_type, ("origin", "http://evil.example")], 403),
        (&[HOST, token, ("content-type", "text/plain")], 415),
        (&[HOST, token], 415),
    ] {
        for path in ["/docs/send/rpc", "/docs/send/event"] {
            let (status, answer) = post(&router, path, headers, &call).await;
            assert_eq!(status, expected, "{headers:?}: {answer}");
        }
    }
    let (status, _) = sent(&router, "/docs/send/rpc", json!({ "service": "greeting" })).await;
    assert_eq!(status, 422);
    let (status, _) = sent(&documents(None), "/docs/send/rpc", call).await;
    assert_eq!(status, 404, "there is nothing to send to");
    app.stop().await.unwrap();
}
