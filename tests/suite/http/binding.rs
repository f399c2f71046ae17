//! What a request carries, in the parameters of a method.

use std::collections::BTreeMap;

use kinoko::{
    http::{File, Problem},
    prelude::*,
    testing::{HttpCall, RunningTestApp, TestApp},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
struct Filter {
    min_price: Option<u32>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
struct Article {
    title: String,
    cents: u32,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Upload {
    title: String,
    pictures: Vec<File>,
}

#[derive(Dependencies)]
struct Catalog;

#[service(name = "catalog")]
impl Catalog {
    #[http(GET, "/articles", deny_unknown_query)]
    fn list(&self, filter: Option<Filter>, #[default(1)] page: u32, #[header] tenant: Option<String>) -> Value {
        json!([filter, page, tenant])
    }

    #[http(GET, "/articles/{id}")]
    fn get(
        &self,
        id: uuid::Uuid,
        #[header("x-tags")] tags: Option<Vec<String>>,
        #[cookie] session: Option<u32>,
    ) -> Value {
        json!([id, tags, session])
    }

    #[http(POST, "/articles")]
    fn create(&self, article: Article) -> Value {
        json!(article)
    }

    #[http(PUT, "/articles/{id}")]
    fn change(&self, id: u32, title: String, cents: Option<u32>) -> Value {
        json!([id, title, cents])
    }

    #[http(POST, "/login", sensitive(pin))]
    fn login(&self, #[form] user: String, #[form] pin: u16) -> Value {
        json!([user, pin])
    }

    #[http(POST, "/pictures")]
    fn upload(&self, #[multipart] upload: Upload) -> Value {
        let sizes: Vec<_> = upload.pictures.iter().map(|file| (file.name(), file.bytes().len())).collect();
        json!([upload.title, sizes])
    }

    #[http(GET, "/all")]
    fn all(&self, filter: Option<Filter>, other: BTreeMap<String, String>) -> Value {
        json!([filter, other])
    }
}

async fn app() -> RunningTestApp {
    TestApp::new().service::<Catalog>().start().await.unwrap()
}

async fn answer(call: HttpCall) -> Value {
    let answer = call.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.json().unwrap()
}

async fn problem(call: HttpCall) -> Problem {
    let answer = call.send().await.unwrap();
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem: Problem = answer.json().unwrap();
    assert_eq!(problem.status, answer.status());
    problem
}

#[tokio::test]
async fn parameters_come_from_where_they_are_said_to() {
    let app = app().await;
    let http = app.http();
    let filter = json!({"min_price": 5, "tags": ["a", "b c"]});
    let list = http.get("/articles?min_price=5&tags=a&tags=b+c&page=2").header("tenant", "acme");
    assert_eq!(answer(list).await, json!([filter, 2, "acme"]));
    assert_eq!(answer(http.get("/articles")).await, json!([null, 1, null]));
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let get = http.get(&format!("/articles/{id}")).header("x-tags", "a, b").header("x-tags", "c");
    assert_eq!(answer(get.header("cookie", "session=7")).await, json!([id, ["a", "b", "c"], 7]));
    let article = json!({"title": "Teapot", "cents": 1299});
    assert_eq!(answer(http.post("/articles").json(&article)).await, article);
    assert_eq!(answer(http.put("/articles/7").json(&article)).await, json!([7, "Teapot", 1299]));
    assert_eq!(answer(http.put("/articles/7").json(&json!({"title": "x"}))).await, json!([7, "x", null]));
    assert_eq!(answer(http.post("/login").form(&[("user", "Ada L"), ("pin", "123")])).await, json!(["Ada L", 123]));
    let parts = "--e\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\nTea\r\n\
                 --e\r\ncontent-disposition: form-data; name=\"pictures\"; filename=\"a.png\"\r\n\r\nPNG\r\n--e--\r\n";
    let upload = http.post("/pictures").body("multipart/form-data; boundary=e", parts);
    assert_eq!(answer(upload).await, json!(["Tea", [["a.png", 3]]]));
    let all = answer(http.get("/all?min_price=1&x=%2B")).await;
    assert_eq!(all[0]["min_price"], 1);
    assert_eq!(all[1]["x"], "+");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn one_answer_tells_all_that_is_wrong() {
    let app = app().await;
    let http = app.http();
    let wrong = problem(http.put("/articles/seven").json(&json!({"cents": -1}))).await;
    assert_eq!((wrong.status, wrong.code.as_deref()), (422, Some("INVALID_REQUEST")));
    let places: Vec<_> =
        wrong.errors.iter().map(|error| (&*error.place, error.name.as_deref(), error.pointer.as_deref())).collect();
    assert_eq!(places, [("path", Some("id"), None), ("body", None, Some("/title")), ("body", None, Some("/cents"))]);
    assert_eq!(wrong.errors[0].value, Some(json!("seven")));
    assert_eq!(wrong.errors[2].rule, "minimum");
    assert_eq!(wrong.detail, "path id: must be a whole number from 0 to 4294967295 (and 2 more)");
    assert!(wrong.call_id.is_some_and(|id| id.contains("catalog.change")));

    let unknown = problem(http.get("/articles?pgae=2")).await;
    assert_eq!(unknown.errors[0].message, "is unknown: did you mean `page`?");
    let secret = problem(http.post("/login").form(&[("user", "x"), ("pin", "s3cret")])).await;
    assert_eq!(secret.errors.len(), 1);
    assert!(!format!("{secret:?}").contains("s3cret"), "{secret:?}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn bodies_that_cannot_be_read_have_their_own_status() {
    let app = app().await;
    let http = app.http();
    for (content_type, body, status, code) in [
        ("application/json", "{\"title\": ", 400, "MALFORMED_BODY"),
        ("application/json", "", 422, "INVALID_REQUEST"),
        ("text/plain", "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/json", &"[".repeat(1_000), 400, "TOO_DEEP"),
        ("application/json", &" ".repeat(3 * 1024 * 1024), 413, "TOO_LARGE"),
    ] {
        let problem = problem(http.post("/articles").body(content_type, body.to_owned())).await;
        assert_eq!((problem.status, problem.code.as_deref()), (status, Some(code)), "{problem:?}");
    }
    let packed = http.post("/articles").header("content-encoding", "gzip").body("application/json", "{}");
    let packed = problem(packed).await;
    assert_eq!((packed.status, &*packed.errors[0].rule), (415, "contentEncoding"), "{packed:?}");
    // axum's text has a name that the router gave the parameter, which is no name of the caller's.
    let path = problem(http.get("/articles/%ff")).await;
    assert_eq!((path.status, &*path.detail), (400, "the path is not UTF-8 once it is decoded"));
    assert_eq!(problem(http.get("/nowhere")).await.code.as_deref(), Some("NOT_FOUND"));
    assert_eq!(problem(http.delete("/articles")).await.code.as_deref(), Some("METHOD_NOT_ALLOWED"));
    app.stop().await.unwrap();
}
