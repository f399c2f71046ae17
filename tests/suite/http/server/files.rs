//! Folders of files.

use std::fs;

use kinoko_tests::Folder;

use super::{
    app,
    client::{Wire, get as ask},
    start,
};

/// A folder `public` beside a file that nobody may have.
fn folder() -> Folder {
    let folder = Folder::new();
    for (path, text) in [
        ("secret.txt", "secret"),
        ("public/index.html", "<h1>index</h1>"),
        ("public/app.js", "let a = 1"),
        ("public/data.json", "{}"),
        ("public/unknown", "?"),
        ("public/sub/index.html", "<h1>sub</h1>"),
        ("public/.env", "secret"),
        ("public/.git/config", "secret"),
        ("public/.well-known/security.txt", "known"),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[tokio::test]
async fn files_are_served_with_their_types() {
    let folder = folder();
    let app = start(app("{}").static_files("/ui", folder.join("public"))).await;
    let address = app.http_address().unwrap();
    for (path, content_type, text) in [
        ("/ui/", "text/html; charset=utf-8", "<h1>index</h1>"),
        ("/ui/index.html", "text/html; charset=utf-8", "<h1>index</h1>"),
        ("/ui/app.js", "text/javascript; charset=utf-8", "let a = 1"),
        ("/ui/data.json", "application/json", "{}"),
        ("/ui/unknown", "application/octet-stream", "?"),
        ("/ui/sub/", "text/html; charset=utf-8", "<h1>sub</h1>"),
        ("/ui/.well-known/security.txt", "text/plain; charset=utf-8", "known"),
    ] {
        let answer = ask(address, path).await;
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.text().as_str()),
            (200, Some(content_type), text),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    let missing = ask(address, "/ui/none.js").await;
    assert_eq!((missing.status, missing.header("content-type")), (404, Some("application/problem+json")));
    let mut wire = Wire::to(address).await;
    let part = wire.ask("GET /ui/app.js HTTP/1.1\r\nhost: k\r\nrange: bytes=4-4\r\n\r\n").await;
    assert_eq!((part.status, part.text().as_str()), (206, "a"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let folder = folder();
    for single_page in [false, true] {
        let app = app("{}");
        let public = folder.join("public");
        let app = if single_page { app.single_page("/ui", public) } else { app.static_files("/ui", public) };
        let app = start(app).await;
        let address = app.http_address().unwrap();
        for path in [
            "/ui/../secret.txt",
            "/ui/%2e%2e/secret.txt",
            "/ui/..%2fsecret.txt",
            "/ui/%2e%2e%2fsecret.txt",
            "/ui/sub/../../secret.txt",
            "/ui/..%5csecret.txt",
            "/ui/%252e%252e/secret.txt",
            "/ui//secret.txt",
            "/ui/%2fetc/passwd",
            "//etc/passwd",
            "/ui/.env",
            "/ui/%2eenv",
            "/ui/.git/config",
            "/ui/sub/..%2f.git%2fconfig",
            "/ui/app.js%00.html",
        ] {
            let answer = ask(address, path).await;
            assert!(!answer.text().contains("secret") && !answer.text().contains("root:"), "{path}: {answer:?}");
            assert!(answer.status != 200 || (single_page && answer.text().contains("index")), "{path}: {answer:?}");
        }
        app.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_name_that_no_file_can_have_is_not_found() {
    let folder = folder();
    let app = start(app("{}").static_files("/ui", folder.join("public"))).await;
    let answer = ask(app.http_address().unwrap(), &format!("/ui/{}", "a".repeat(5_000))).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_without_its_last_slash_is_found_where_it_is_mounted() {
    let folder = folder();
    let public = folder.join("public");
    let app = start(app("{}").static_files("/ui", public.clone()).static_files("/", public)).await;
    let address = app.http_address().unwrap();
    for (path, location) in [("/ui/sub", "/ui/sub/"), ("/ui/sub?a=1", "/ui/sub/?a=1"), ("/sub", "/sub/")] {
        let answer = ask(address, path).await;
        assert_eq!((answer.status, answer.header("location")), (307, Some(location)), "{path}");
    }
    // `Location: //sub/` would be another host.
    let elsewhere = ask(address, "//sub").await;
    assert_eq!((elsewhere.status, elsewhere.header("location")), (404, None));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_single_page_answers_for_what_is_no_file() {
    let folder = folder();
    let app = start(app("{}").single_page("/", folder.join("public"))).await;
    let address = app.http_address().unwrap();
    assert_eq!(ask(address, "/app.js").await.text(), "let a = 1");
    let page = ask(address, "/orders/7").await;
    assert_eq!((page.status, page.text().as_str()), (200, "<h1>index</h1>"));
    app.stop().await.unwrap();
}
