//! The users over HTTP, with no socket and a database that is thrown away.

use kinoko::testing::{HttpAnswer, RunningTestApp, TestApp};
use serde_json::{Value, json};
use users::{Profile, UsersService, UsersServiceClient};

/// Hashes that cost next to nothing.
const CHEAP: &str = "password: {memory_kib: 64, iterations: 1}";

async fn app() -> RunningTestApp {
    TestApp::new().service::<UsersService>().yaml(CHEAP).start().await.unwrap()
}

async fn post(app: &RunningTestApp, path: &str, body: Value) -> HttpAnswer {
    app.http().post(path).json(&body).send().await.unwrap()
}

fn user(name: &str) -> Value {
    json!({"name": name, "password": format!("the password of {name}")})
}

/// Registers somebody, and logs in: access token, refresh token.
async fn joined(app: &RunningTestApp, name: &str) -> (String, String) {
    assert_eq!(post(app, "/users", user(name)).await.status(), 201);
    log_in(app, name).await
}

async fn log_in(app: &RunningTestApp, name: &str) -> (String, String) {
    let answer = post(app, "/login", user(name)).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    tokens(&answer)
}

fn tokens(answer: &HttpAnswer) -> (String, String) {
    let pair: Value = answer.json().unwrap();
    let text = |name: &str| pair[name].as_str().unwrap().to_owned();
    assert_eq!((pair["token_type"].as_str(), pair["expires_in"].as_u64()), (Some("Bearer"), Some(900)));
    (text("access_token"), text("refresh_token"))
}

async fn me(app: &RunningTestApp, token: &str) -> u16 {
    app.http().get("/me").bearer(token).send().await.unwrap().status()
}

async fn refresh(app: &RunningTestApp, token: &str) -> HttpAnswer {
    post(app, "/refresh", json!({"refresh_token": token})).await
}

#[tokio::test]
async fn somebody_registers_and_is_let_in() {
    let app = app().await;
    let (ada, _) = joined(&app, "ada").await;
    let answer = app.http().get("/me").bearer(&ada).send().await.unwrap();
    assert_eq!(answer.json::<Profile>().unwrap(), Profile { name: "ada".into(), roles: vec!["admin".into()] });
    // Other services ask with the caller's token.
    let by_rpc: Profile = app.client::<UsersServiceClient>().me().auth_token(&ada).await.unwrap();
    assert_eq!(by_rpc.name, "ada");
    assert_eq!(post(&app, "/users", user("ada")).await.status(), 409);
    assert_eq!(post(&app, "/users", json!({"name": "A", "password": "short"})).await.status(), 422);
    assert_eq!(me(&app, "").await, 401);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_name_are_told_alike() {
    let app = app().await;
    joined(&app, "ada").await;
    let mut problems = Vec::new();
    for (name, password) in [("ada", "the password of eve"), ("eve", "the password of eve")] {
        let answer = post(&app, "/login", json!({"name": name, "password": password})).await;
        let mut problem: Value = answer.json().unwrap();
        problem["call_id"] = Value::Null;
        problems.push((answer.status(), problem));
    }
    assert_eq!(problems[0], problems[1]);
    assert_eq!(problems[0].0, 401);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_log_in() {
    let app = app().await;
    let (access, first) = joined(&app, "ada").await;
    let (other, _) = log_in(&app, "ada").await;
    let (newer, second) = tokens(&refresh(&app, &first).await);
    assert_eq!((me(&app, &access).await, me(&app, &newer).await), (200, 200));
    // An access token is no refresh token, nor the other way round.
    assert_eq!(refresh(&app, &newer).await.status(), 401);
    assert_eq!(me(&app, &second).await, 401);
    // It comes again: whoever has the second one is out as well.
    assert_eq!(refresh(&app, &first).await.status(), 401);
    assert_eq!(refresh(&app, &second).await.status(), 401);
    assert_eq!((me(&app, &access).await, me(&app, &newer).await), (401, 401));
    assert_eq!(me(&app, &other).await, 200, "another log-in goes on");
    assert_eq!(refresh(&app, "x").await.status(), 401);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn of_two_who_come_at_once_one_gets_the_next_pair() {
    let app = app().await;
    let (_, first) = joined(&app, "ada").await;
    let (a, b) = tokio::join!(refresh(&app, &first), refresh(&app, &first));
    let mut statuses = [a.status(), b.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn who_logs_out_is_out() {
    let app = app().await;
    let (access, spent) = joined(&app, "ada").await;
    assert_eq!(app.http().post("/logout").bearer(&access).send().await.unwrap().status(), 204);
    assert_eq!(me(&app, &access).await, 401);
    assert_eq!(refresh(&app, &spent).await.status(), 401);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn roles_are_for_the_admin_and_count_from_the_next_token_on() {
    let app = app().await;
    let (ada, _) = joined(&app, "ada").await;
    let (bob, _) = joined(&app, "bob").await;
    let roles = async |token: &str, name: &str| {
        let call = app.http().put(&format!("/users/{name}/roles")).json(&json!({"roles": ["clerk"]}));
        call.bearer(token).send().await.unwrap().status()
    };
    assert_eq!(roles(&bob, "bob").await, 403);
    assert_eq!(roles("", "bob").await, 401);
    assert_eq!(roles(&ada, "eve").await, 404);
    assert_eq!(roles(&ada, "bob").await, 200);
    assert_eq!(me(&app, &bob).await, 401, "it says the old roles");
    let (bob, _) = log_in(&app, "bob").await;
    let answer = app.http().get("/me").bearer(&bob).send().await.unwrap();
    assert_eq!(answer.json::<Profile>().unwrap().roles, ["clerk"]);
    assert_eq!(app.http().get("/users/ada").bearer(&bob).send().await.unwrap().status(), 403);
    assert_eq!(app.http().get("/users/bob").bearer(&ada).send().await.unwrap().status(), 200);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn the_documents_say_who_may() {
    let app = app().await;
    let document: Value = app.http().get("/openapi.json").send().await.unwrap().json().unwrap();
    let paths = &document["paths"];
    assert_eq!(paths["/me"]["get"]["security"], json!([{"bearer": []}]));
    assert_eq!(paths["/login"]["post"].get("security"), None);
    assert!(paths["/users/{name}/roles"]["put"]["responses"].get("403").is_some());
    let access = json!({"kind": "guarded", "rules": [{"roles": ["admin"], "scopes": []}]});
    assert_eq!(paths["/users/{name}/roles"]["put"]["x-kinoko-access"], access);
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["bearerFormat"], "JWT");
    app.stop().await.unwrap();
}
