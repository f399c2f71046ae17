//! Over HTTP: where a token is carried, and what is answered.

use kinoko::testing::{HttpAnswer, RunningTestApp};
use serde_json::{Value, json};

use super::{app, test_app, token, with};

fn told(answer: &HttpAnswer) -> (u16, String, String) {
    let problem: Value = answer.json().unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or_default().to_owned();
    (answer.status(), code, answer.header("www-authenticate").to_owned())
}

fn expected(status: u16, code: &str, challenge: &str) -> (u16, String, String) {
    (status, code.to_owned(), challenge.to_owned())
}

#[tokio::test]
async fn a_bearer_token_lets_in_and_refusals_say_how_as_rfc_6750_has_it() {
    let app = app().await;
    let ada = token(&app, &[], "");
    let who = || app.http().get("/vault/who");
    let answer = who().bearer(&ada).send().await.unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ada"));
    assert_eq!(who().header("authorization", &format!("bEARER  {ada}")).send().await.unwrap().status(), 200);
    assert_eq!(told(&who().send().await.unwrap()), expected(401, "UNAUTHENTICATED", "Bearer"));
    let basic = who().header("authorization", "Basic YTpi").send().await.unwrap();
    assert_eq!(told(&basic), expected(401, "UNAUTHENTICATED", "Bearer"));
    let forged = who().bearer("forged").send().await.unwrap();
    assert_eq!(told(&forged), expected(401, "UNAUTHENTICATED", "Bearer error=\"invalid_token\""));
    assert_eq!(forged.header("content-type"), "application/problem+json");
    let text = forged.text();
    assert!(!text.contains("forged") && !text.contains("three parts"), "what is wrong is for the log: {text}");
    let open = app.http().post("/vault/open").bearer(&ada).send().await.unwrap();
    assert_eq!(told(&open), expected(403, "FORBIDDEN", "Bearer error=\"insufficient_scope\""));
    let read = app.http().get("/vault/read").bearer(&ada).send().await.unwrap();
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"vault:read vault:list\"";
    assert_eq!(told(&read), expected(403, "FORBIDDEN", challenge));
    let closed = app.http().get("/vault/closed").bearer(&ada).send().await.unwrap();
    assert_eq!(told(&closed), expected(403, "FORBIDDEN", ""));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_public_route_takes_whoever_comes() {
    let app = app().await;
    let front = || app.http().get("/vault/front");
    assert_eq!(front().send().await.unwrap().json::<Option<String>>().unwrap(), None);
    assert_eq!(front().bearer("forged").send().await.unwrap().json::<Option<String>>().unwrap(), None);
    let ada = token(&app, &[], "");
    assert_eq!(front().bearer(&ada).send().await.unwrap().json::<Option<String>>().unwrap().as_deref(), Some("ada"));
    app.stop().await.unwrap();
}

async fn status(app: &RunningTestApp, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut call = app.http().request(method.parse().unwrap(), path).header("host", "shop.example");
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.send().await.unwrap().status()
}

#[tokio::test]
async fn a_cookie_counts_where_the_settings_name_it_and_the_page_is_of_the_same_host() {
    let plain = app().await;
    let cookie = format!("session={}", token(&plain, &["keeper"], ""));
    assert_eq!(status(&plain, "GET", "/vault/who", &[("cookie", &cookie)]).await, 401, "off by default");
    plain.stop().await.unwrap();

    let app = with("cookie: session, cookie_origins: 'https://front.example'").await;
    let cookie = format!("session={}", token(&app, &["keeper"], ""));
    let with = ("cookie", cookie.as_str());
    assert_eq!(status(&app, "GET", "/vault/who", &[with]).await, 200);
    assert_eq!(status(&app, "POST", "/vault/open", &[with]).await, 200, "no browser");
    assert_eq!(status(&app, "POST", "/vault/open", &[with, ("origin", "https://shop.example")]).await, 200);
    assert_eq!(status(&app, "POST", "/vault/open", &[with, ("origin", "https://front.example")]).await, 200);
    assert_eq!(status(&app, "POST", "/vault/open", &[with, ("origin", "https://evil.example")]).await, 401);
    assert_eq!(status(&app, "POST", "/vault/open", &[with, ("origin", "null")]).await, 401);
    assert_eq!(status(&app, "POST", "/vault/open", &[with, ("sec-fetch-site", "cross-site")]).await, 401);
    // Who says it in a header needs no cookie, and is not overruled by one.
    assert_eq!(status(&app, "GET", "/vault/who", &[with, ("authorization", "Bearer forged")]).await, 401);
    let doubled = format!("{cookie}; session=x");
    assert_eq!(status(&app, "GET", "/vault/who", &[("cookie", &doubled)]).await, 401);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_socket_is_guarded_message_by_message() {
    let app = app().await;
    let ada = token(&app, &[], "");
    let mut socket = app.websocket("/vault/ws").bearer(&ada).await.unwrap();
    let answer = socket.call("who", &json!({})).await.unwrap();
    assert_eq!(answer["data"], "ada");
    let answer = socket.call("closed", &json!({})).await.unwrap();
    assert_eq!((&answer["error"]["code"], &answer["success"]), (&json!("FORBIDDEN"), &json!(false)));

    let mut stranger = app.websocket("/vault/ws").await.unwrap();
    let answer = stranger.call("who", &json!({})).await.unwrap();
    assert_eq!(answer["error"]["code"], "UNAUTHENTICATED");
    assert_eq!(answer["error"]["exc_path"], "kinoko.auth.Unauthenticated");
    assert_eq!(stranger.call("front", &json!({})).await.unwrap()["data"], json!(null));
    // A page has no headers for a socket: it says it with the message.
    let message = json!({"method": "who", "data": {}, "auth_token": ada, "correlation_id": 1});
    stranger.send(&message).await.unwrap();
    assert_eq!(stranger.next().await.unwrap()["data"], "ada");
    stranger.send(&json!({"method": "who", "auth_token": 7})).await.unwrap();
    assert_eq!(stranger.next().await.unwrap()["error"]["exc_type"], "MalformedRequest");
    drop((socket, stranger));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_cookie_of_no_name_does_not_start() {
    let error = test_app("cookie: 'a b'").start().await.unwrap_err();
    assert!(error.to_string().contains("jwt.cookie") && error.to_string().contains("no cookie is called"), "{error}");
}
