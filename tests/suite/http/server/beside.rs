//! What stands beside the routes of services, and around them: their requests take a shorter way than all others, and nothing may show it.

use kinoko::{
    http::axum::{
        Router,
        extract::{OriginalUri, Request},
        http::header,
        middleware::{Next, from_fn},
        routing::get,
    },
    prelude::*,
};

use super::{
    client::{Wire, get as ask},
    start,
};

#[derive(Dependencies)]
struct Pages;

#[service(name = "http_pages")]
impl Pages {
    #[http(GET, "/{shelf}/name")]
    fn name(&self, shelf: String) -> String {
        shelf
    }

    #[http(GET, "/pages/{page}")]
    fn page(&self, page: usize) -> String {
        "x".repeat(page)
    }

    #[http(GET, "/pages/first")]
    fn first(&self, OriginalUri(uri): OriginalUri) -> String {
        format!("first of {}", uri.path())
    }

    #[http(GET, "/pages/{book}/{*rest}")]
    fn rest(&self, book: u8, rest: String) -> String {
        format!("{book} {rest}")
    }
}

fn app(yaml: &str) -> App {
    let mut settings = Settings::from_yaml(yaml).unwrap();
    settings.set("http.address", "127.0.0.1:0");
    App::new().service::<Pages>().settings(settings)
}

#[tokio::test]
async fn a_route_is_chosen_by_its_path_whoever_reads_the_request() {
    let app = start(app("{}")).await;
    for (path, status, text) in [
        ("/pages/2", 200, "xx"),
        ("/pages/first", 200, "first of /pages/first"),
        ("/pages/7/a%20b/c%2Fd", 200, "7 a b/c/d"),
        ("/a%2Fb/name", 200, "a/b"),
    ] {
        let answer = ask(app.http_address().unwrap(), path).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{path}");
    }
    let malformed = ask(app.http_address().unwrap(), "/%ff/name").await;
    assert_eq!((malformed.status, &malformed.json()["code"]), (400, &"MALFORMED_PATH".into()));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_mounted_goes_before_a_route_that_has_a_parameter_there() {
    let mounted = Router::new().route("/name", get(|| async { "mounted" }));
    let app = start(app("{}").mount("/admin", mounted)).await;
    for (path, text) in [("/admin/name", "mounted"), ("/adm/name", "adm"), ("/administration/name", "administration")] {
        assert_eq!(ask(app.http_address().unwrap(), path).await.text(), text);
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_layer_goes_around_the_routes_of_services() {
    let mark = from_fn(|request: Request, next: Next| async move {
        let mut response = next.run(request).await;
        response.headers_mut().insert("x-layer", header::HeaderValue::from_static("here"));
        response
    });
    let app = start(app("{}").layer_http(mark)).await;
    let answer = ask(app.http_address().unwrap(), "/pages/2").await;
    assert_eq!((answer.text().as_str(), answer.header("x-layer")), ("xx", Some("here")));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn the_answers_of_services_tell_other_origins_that_they_may_see_them() {
    let app = start(app("http: {cors: {origins: ['https://shop.example']}}")).await;
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    let answer = wire.ask("GET /pages/2 HTTP/1.1\r\nhost: k\r\norigin: https://shop.example\r\n\r\n").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"), "{answer:?}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn the_answers_of_services_are_compressed_where_they_are_large() {
    for (yaml, path, encoding) in [
        ("{}", "/pages/5000", Some("gzip")),
        ("{}", "/pages/50", None),
        ("http: {compression: false}", "/pages/5000", None),
    ] {
        let app = start(app(yaml)).await;
        let mut wire = Wire::to(app.http_address().unwrap()).await;
        let answer = wire.ask(format!("GET {path} HTTP/1.1\r\nhost: k\r\naccept-encoding: gzip\r\n\r\n")).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding), "{yaml} {path}");
        app.stop().await.unwrap();
    }
}
