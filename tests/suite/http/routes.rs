//! Which requests a route answers.

use kinoko::{ErrorKind, prelude::*, testing::TestApp};
use serde_json::{Value, json};

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders", http = "/api/v1")]
impl Orders {
    #[rpc]
    #[http(GET, "/orders")]
    #[http(GET, "/orders/all", hide)]
    fn list(&self) -> Vec<u32> {
        vec![1, 2]
    }

    #[http(DELETE, "/orders")]
    fn clear(&self) {}

    #[http(GET, "/tagged")]
    fn tagged(&self, tag: Vec<String>) -> Vec<String> {
        tag
    }
}

/// Routes like another service's.
#[derive(Dependencies)]
struct Others;

#[service(name = "others", http = "/api")]
impl Others {
    #[http(GET, "/v1/orders")]
    fn list(&self) {}
}

#[tokio::test]
async fn one_method_has_several_doors() {
    let app = TestApp::new().service::<Orders>().start().await.unwrap();
    for path in ["/api/v1/orders", "/api/v1/orders/all"] {
        assert_eq!(app.http().get(path).send().await.unwrap().json::<Vec<u32>>().unwrap(), [1, 2]);
    }
    assert_eq!(app.client::<OrdersClient>().list().await.unwrap(), [1, 2]);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let app = TestApp::new().service::<Orders>().start().await.unwrap();
    let unknown = app.http().get("/orders").send().await.unwrap();
    assert_eq!(unknown.json::<Value>().unwrap()["status"], json!(404));
    let not_so = app.http().put("/api/v1/orders").send().await.unwrap();
    assert_eq!((not_so.status(), not_so.header("content-type")), (405, "application/problem+json"));
    let mut allowed: Vec<_> = not_so.header("allow").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD"]);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn two_services_with_one_route_do_not_start() {
    let error = TestApp::new().service::<Orders>().service::<Others>().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let text = error.to_string();
    assert!(text.contains("GET") && text.contains("`orders.list`") && text.contains("`others.list`"), "{text}");
}

#[tokio::test]
async fn a_list_in_the_query_may_be_one_of_none() {
    let app = TestApp::new().service::<Orders>().start().await.unwrap();
    for (query, tags) in [("", vec![]), ("?tag=a", vec!["a"]), ("?tag=a&tag=b", vec!["a", "b"])] {
        let answer = app.http().get(&format!("/api/v1/tagged{query}")).send().await.unwrap();
        assert_eq!(answer.json::<Vec<String>>().unwrap(), tags);
    }
    let document: Value = app.http().get("/openapi.json").send().await.unwrap().json().unwrap();
    assert_eq!(document["paths"]["/api/v1/tagged"]["get"]["parameters"][0]["required"], Value::Null);
    app.stop().await.unwrap();
}
