//! Routers of the user's, layers, CORS, compression.

use kinoko::{
    ErrorKind,
    http::axum::{
        self, Router,
        extract::{ConnectInfo, Request},
        http::header,
        middleware::{Next, from_fn},
        response::{IntoResponse, Sse, sse::Event},
        routing::{get, post},
    },
};

use super::{
    app,
    client::{Wire, get as ask},
    start,
};

fn named(name: &'static str) -> Router {
    Router::new()
        .route("/", get(move || async move { name }))
        .route("/who", get(|ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>| async move { peer.ip().to_string() }))
        .route("/uri", get(|request: Request| async move { request.uri().path().to_owned() }))
        .route("/post", post(|| async { "posted" }))
}

#[tokio::test]
async fn what_is_mounted_is_served_below_its_path() {
    let app = start(app("{}").mount("/a", named("a")).mount("/a/b/", named("b")).mount("/", named("root"))).await;
    let address = app.http_address().unwrap();
    for (path, status, text) in [
        ("/a", 200, "a"),
        ("/a/", 200, "a"),
        ("/a/uri", 200, "/uri"),
        ("/a/b/", 200, "b"),
        ("/a/b/uri", 200, "/uri"),
        ("/", 200, "root"),
        ("/uri", 200, "/uri"),
        ("/who", 200, "127.0.0.1"),
        ("/ab", 404, ""),
        ("/a/none", 404, ""),
        ("/post", 405, ""),
    ] {
        let answer = ask(address, path).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{path}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_path_that_nothing_serves_is_a_problem() {
    let app = start(app("{}").mount("/a", named("a"))).await;
    let answer = ask(app.http_address().unwrap(), "/none").await;
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn paths_that_cannot_be_mounted_end_the_start() {
    for (app, expected) in [
        (app("{}").mount("a", named("a")), "nothing can be mounted at `a`: write a path such as `/admin`"),
        (app("{}").mount("/{id}", named("a")), "nothing can be mounted at `/{id}`"),
        (app("{}").mount("/a", named("a")).mount("/a/", named("b")), "`/a/` is mounted twice"),
        (app("{}").mount("/", named("a")).static_files("/", "."), "`/` is served twice"),
        (
            app("{}").static_files("/files", "/nowhere/at/all"),
            "the folder `/nowhere/at/all`, to be served at `/files`, is not there",
        ),
    ] {
        let error = app.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn a_layer_goes_around_every_request() {
    let mark = from_fn(|request: Request, next: Next| async move {
        let mut response = next.run(request).await;
        response.headers_mut().insert("x-layer", header::HeaderValue::from_static("here"));
        response
    });
    let app = start(app("{}").mount("/a", named("a")).layer_http(mark)).await;
    let address = app.http_address().unwrap();
    for path in ["/a/", "/none"] {
        assert_eq!(ask(address, path).await.header("x-layer"), Some("here"), "{path}");
    }
    app.stop().await.unwrap();
}

fn preflight(path: &str, origin: &str) -> String {
    format!(
        "OPTIONS {path} HTTP/1.1\r\nhost: kinoko\r\norigin: {origin}\r\naccess-control-request-method: POST\r\n\
         access-control-request-headers: content-type\r\n\r\n"
    )
}

#[tokio::test]
async fn pages_of_named_origins_may_call_and_others_may_not() {
    let yaml =
        "http: {cors: {origins: ['https://shop.example', 'http://localhost:3000'], credentials: true, max_age: 1m}}";
    let app = start(app(yaml).mount("/a", named("a"))).await;
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    let answer = wire.ask(preflight("/a/post", "https://shop.example")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-max-age"), Some("60"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    let stranger = wire.ask(preflight("/a/post", "https://evil.example")).await;
    assert_eq!(stranger.header("access-control-allow-origin"), None, "{stranger:?}");
    let call = wire
        .ask("POST /a/post HTTP/1.1\r\nhost: k\r\norigin: http://localhost:3000\r\ncontent-length: 0\r\n\r\n")
        .await;
    assert_eq!(
        (call.text().as_str(), call.header("access-control-allow-origin")),
        ("posted", Some("http://localhost:3000"))
    );
    app.stop().await.unwrap();
}

#[tokio::test]
async fn an_options_that_is_no_preflight_finds_its_route() {
    let options = || {
        named("a")
            .route("/options", axum::routing::options(|request: Request| async move { request.method().to_string() }))
    };
    let app = start(app("http: {cors: {origins: '*'}}").mount("/a", options())).await;
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    let mut ask = async |path: &str, more: &str| {
        wire.ask(format!("OPTIONS {path} HTTP/1.1\r\nhost: k\r\norigin: https://shop.example\r\n{more}\r\n")).await
    };
    let own = ask("/a/options", "").await;
    assert_eq!(
        (own.status, own.text().as_str(), own.header("access-control-allow-origin")),
        (200, "OPTIONS", Some("*"))
    );
    assert_eq!(ask("/a/post", "").await.status, 405);
    assert_eq!(ask("/none", "").await.status, 404);
    let preflight = ask("/a/options", "access-control-request-method: OPTIONS\r\n").await;
    assert_eq!((preflight.status, preflight.text().as_str()), (200, ""));
    assert!(preflight.header("access-control-allow-methods").is_some());
    app.stop().await.unwrap();
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let folder = kinoko_tests::Folder::new();
    std::fs::write(folder.join("a.txt"), "a").unwrap();
    let own = || async { ([("x-request-id", "own")], "own").into_response() };
    let router = named("a").route("/own", get(own));
    let app = start(app("http: {max_body_bytes: 1}").mount("/a", router).static_files("/files", folder.join(""))).await;
    let address = app.http_address().unwrap();
    let large = "POST /a/post HTTP/1.1\r\nhost: k\r\ncontent-length: 2\r\n";
    for (head, status, own) in [
        ("GET /none HTTP/1.1\r\nhost: k\r\n", 404, None),
        ("GET /a HTTP/1.1\r\nhost: k\r\n", 200, None),
        ("GET /a/own HTTP/1.1\r\nhost: k\r\n", 200, Some("own")),
        ("GET /a/post HTTP/1.1\r\nhost: k\r\n", 405, None),
        (large, 413, None),
        ("GET /files/a.txt HTTP/1.1\r\nhost: k\r\n", 200, None),
        ("GET /files/b.txt HTTP/1.1\r\nhost: k\r\n", 404, None),
        ("GET / HTTP/1.1\r\n", 400, None),
    ] {
        let named = Wire::to(address).await.ask(format!("{head}x-request-id: req-42\r\n\r\n")).await;
        assert_eq!((named.status, named.header("x-request-id")), (status, Some("req-42")), "{head}");
        let answer = Wire::to(address).await.ask(format!("{head}\r\n")).await;
        let id = answer.header("x-request-id").unwrap_or_default();
        assert!(own.map_or_else(|| uuid::Uuid::parse_str(id).is_ok(), |own| own == id), "{head}: {answer:?}");
        // What could break a log line is not taken over.
        let odd = Wire::to(address).await.ask(format!("{head}x-request-id: a b\r\n\r\n")).await;
        assert!(odd.header("x-request-id").is_some_and(|id| id != "a b"), "{head}: {odd:?}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn without_the_setting_no_answer_speaks_of_origins() {
    let app = start(app("{}").mount("/a", named("a"))).await;
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    let answer = wire.ask(preflight("/a/post", "https://shop.example")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (405, None), "{answer:?}");
    app.stop().await.unwrap();
}

fn texts() -> Router {
    let json = |bytes: usize| ([(header::CONTENT_TYPE, "application/json")], format!("\"{}\"", "x".repeat(bytes)));
    Router::new()
        .route("/large", get(move || async move { json(5_000) }))
        .route("/tiny", get(move || async move { json(50) }))
        .route("/image", get(|| async { ([(header::CONTENT_TYPE, "image/png")], vec![0_u8; 5_000]) }))
        .route(
            "/encoded",
            get(move || async move { ([(header::CONTENT_ENCODING, "br")], json(5_000)).into_response() }),
        )
        .route(
            "/events",
            get(|| async {
                Sse::new(futures_util::stream::iter([Ok::<_, kinoko::http::axum::Error>(Event::default().data("1"))]))
            }),
        )
}

#[tokio::test]
async fn what_is_worth_it_is_compressed_for_who_takes_it() {
    let app = start(app("{}").mount("/", texts())).await;
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    for (path, accept, encoding) in [
        ("/large", "gzip, br", Some("gzip")),
        ("/large", "identity", None),
        ("/tiny", "gzip", None),
        ("/image", "gzip", None),
        ("/encoded", "gzip, br", Some("br")),
        ("/events", "gzip", None),
    ] {
        let answer = wire.ask(format!("GET {path} HTTP/1.1\r\nhost: k\r\naccept-encoding: {accept}\r\n\r\n")).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding), "{path} for {accept}");
        if encoding == Some("gzip") {
            assert!(answer.body.starts_with(&[0x1f, 0x8b]) && answer.body.len() < 500, "{}", answer.body.len());
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
        }
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn compression_can_be_switched_off() {
    let app = start(app("http: {compression: false}").mount("/", texts())).await;
    let mut wire = Wire::to(app.http_address().unwrap()).await;
    let answer = wire.ask("GET /large HTTP/1.1\r\nhost: k\r\naccept-encoding: gzip\r\n\r\n").await;
    assert_eq!((answer.header("content-encoding"), answer.body.len()), (None, 5_002));
    app.stop().await.unwrap();
}
