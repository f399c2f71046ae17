//! What the program tells of itself.

use std::process::Command;

#[test]
fn list_shows_routes_beside_calls() {
    let output = Command::new(env!("CARGO_BIN_EXE_catalog")).env_clear().arg("list").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "catalog: What can be bought.\n\
         \x20 rpc   get(sku: &str) -> Article, or CatalogError; public            One article.\n\
         \x20 http  POST /articles by add(article: Valid<NewArticle>); guarded: role admin  Adds an article.\n\
         \x20 http  GET /articles/{sku} by get(sku: &str); public                 One article.\n\
         \x20 http  GET /articles by list(filter: Valid<Filter>); public          The articles, a page at a time.\n\
         \x20 http  DELETE /articles/{sku} by remove(sku: &str); guarded: role admin  Takes an article out of the catalog.\n"
    );
}
