//! The catalog over HTTP, with no socket and a database in memory.

use catalog::{Article, CatalogService, CatalogServiceClient, Page};
use kinoko::testing::{RunningTestApp, TestApp};
use serde_json::{Value, json};

async fn app() -> RunningTestApp {
    TestApp::new().service::<CatalogService>().start().await.unwrap()
}

/// A token of somebody who may change the catalog.
fn admin(app: &RunningTestApp) -> String {
    app.token(&json!({"sub": "ada", "roles": ["admin"]})).unwrap()
}

fn teapot() -> Value {
    json!({"sku": "TEAPOT", "name": "A teapot for two", "category": "kitchen", "price_cents": 2_900, "tags": ["tea"]})
}

#[tokio::test]
async fn an_article_is_added_and_found() {
    let app = app().await;
    let added = app.http().post("/articles").bearer(&admin(&app)).json(&teapot()).send().await.unwrap();
    assert_eq!((added.status(), added.json::<Value>().unwrap()), (201, teapot()));
    let found = app.http().get("/articles/TEAPOT").send().await.unwrap();
    assert_eq!(found.json::<Value>().unwrap(), teapot());
    // Other services ask by RPC.
    let by_rpc: Article = app.client::<CatalogServiceClient>().get("TEAPOT").await.unwrap();
    assert_eq!(serde_json::to_value(by_rpc).unwrap(), teapot());
    let again = app.http().post("/articles").bearer(&admin(&app)).json(&teapot()).send().await.unwrap();
    assert_eq!((again.status(), &again.json::<Value>().unwrap()["code"]), (409, &json!("TAKEN")));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn an_article_that_is_not_there_is_a_problem() {
    let app = app().await;
    for answer in [app.http().get("/articles/NONE"), app.http().delete("/articles/NONE").bearer(&admin(&app))] {
        let problem: Value = answer.send().await.unwrap().json().unwrap();
        assert_eq!((&problem["status"], &problem["detail"]), (&json!(404), &json!("no article NONE")));
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let app = app().await;
    let wrong = json!({"sku": "teapot", "name": "", "category": "garden", "price_cents": 0, "colour": "blue"});
    let answer = app.http().post("/articles").bearer(&admin(&app)).json(&wrong).send().await.unwrap();
    assert_eq!((answer.status(), answer.header("content-type")), (422, "application/problem+json"));
    let problem: Value = answer.json().unwrap();
    let mut fields: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    fields.sort_unstable();
    fields.dedup();
    assert_eq!(fields, ["/category", "/colour", "/name", "/price_cents", "/sku"], "{problem}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_list_has_pages_filters_and_orders() {
    let app = app().await;
    for (sku, name, category, price_cents) in [
        ("CUP", "A cup", "kitchen", 450),
        ("SOFA", "A sofa", "furniture", 90_000),
        ("TEAPOT", "A teapot", "kitchen", 2_900),
    ] {
        let article = json!({"sku": sku, "name": name, "category": category, "price_cents": price_cents});
        assert_eq!(
            app.http().post("/articles").bearer(&admin(&app)).json(&article).send().await.unwrap().status(),
            201
        );
    }
    let list = async |query: &str| -> (Vec<String>, u64) {
        let answer = app.http().get(&format!("/articles{query}")).send().await.unwrap();
        let page: Page = answer.json().unwrap();
        (page.items.into_iter().map(|article| article.sku).collect(), page.total)
    };
    assert_eq!(list("").await, (vec!["CUP".into(), "SOFA".into(), "TEAPOT".into()], 3));
    assert_eq!(list("?sort=price&per_page=2").await, (vec!["CUP".into(), "TEAPOT".into()], 3));
    assert_eq!(list("?sort=price&per_page=2&page=2").await, (vec!["SOFA".into()], 3));
    assert_eq!(list("?category=kitchen&min_price=500").await, (vec!["TEAPOT".into()], 1));
    assert_eq!(list("?search=SOF").await, (vec!["SOFA".into()], 1));
    assert_eq!(list("?search=%25").await, (vec![], 0));
    for (query, name) in
        [("?page=0", "page"), ("?per_page=500", "per_page"), ("?pgae=2", "pgae"), ("?sort=size", "sort")]
    {
        let problem: Value = app.http().get(&format!("/articles{query}")).send().await.unwrap().json().unwrap();
        assert_eq!((&problem["status"], &problem["errors"][0]["name"]), (&json!(422), &json!(name)), "{problem}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn only_the_admin_changes_the_catalog() {
    let app = app().await;
    let clerk = app.token(&json!({"sub": "bob", "roles": ["clerk"]})).unwrap();
    let add = || app.http().post("/articles").json(&teapot());
    assert_eq!(add().send().await.unwrap().status(), 401);
    assert_eq!(add().bearer(&clerk).send().await.unwrap().status(), 403);
    assert_eq!(add().bearer(&admin(&app)).send().await.unwrap().status(), 201);
    assert_eq!(app.http().delete("/articles/TEAPOT").bearer(&clerk).send().await.unwrap().status(), 403);
    assert_eq!(app.http().get("/articles/TEAPOT").send().await.unwrap().status(), 200);
    app.stop().await.unwrap();
}
