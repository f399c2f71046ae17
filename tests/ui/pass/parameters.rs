//! Every kind of parameter, by name and by position.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]

use kinoko::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    sku: String,
    qty: u32,
}

fn usual_limit() -> u32 {
    20
}

#[derive(Dependencies)]
struct Shop;

#[service(name = "shop", max_workers = 8)]
impl Shop {
    #[rpc]
    fn by_reference(&self, name: &str, lines: &[Line], one: &Line) -> String {
        format!("{name}: {} and {}", lines.iter().map(|line| line.qty).sum::<u32>(), one.sku)
    }

    #[rpc]
    async fn across_an_await(&self, name: &str, lines: &[Line]) -> usize {
        tokio::task::yield_now().await;
        name.len() + lines.len()
    }

    #[rpc]
    fn options(&self, tag: Option<String>, limit: Option<u32>) -> (Option<String>, Option<u32>) {
        (tag, limit)
    }

    #[allow(clippy::too_many_arguments)]
    #[rpc]
    fn defaults(
        &self,
        first: u64,
        #[default(usual_limit())] limit: u32,
        #[default(10)] page: usize,
        #[default("sku")] order: &str,
        #[default("all")] filter: String,
        #[default([1, 2])] ids: Vec<u8>,
        #[default(7)] offset: Option<u16>,
        #[default(0.5)] factor: f64,
    ) -> String {
        format!("{first} {limit} {page} {order} {filter} {ids:?} {offset:?} {factor}")
    }

    #[rpc(name = "login-now", sensitive(password), timeout = "1m 30s", max_workers = 2)]
    fn login(&self, mut user: String, r#type: u8, password: &str) -> String {
        user.push_str(password);
        format!("{user}{type}")
    }

    #[allow(dead_code)]
    fn not_an_entrypoint(&self, anything: impl Into<String>) -> String {
        anything.into()
    }

    #[allow(dead_code)]
    const LIMIT: u32 = 3;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> kinoko::Result<()> {
    let line = |sku: &str, qty| Line { sku: sku.to_owned(), qty };
    let shop = ShopClient::from_service(Shop);
    let lines = [line("A", 2), line("B", 3)];
    assert_eq!(shop.by_reference("caf\u{e9}", &lines, &line("C", 1)).await?, "caf\u{e9}: 5 and C");
    assert_eq!(shop.across_an_await("four", &lines).await?, 6);
    assert_eq!(shop.options(None, Some(3)).await?, (None, Some(3)));
    assert_eq!(shop.login("ann".to_owned(), 1, "secret").await?, "annsecret1");

    let app = kinoko::App::new().service::<Shop>().start().await?;
    let proxy = app.proxy();
    let answer = proxy.call("shop", "defaults").arg(1).await?;
    assert_eq!(answer, "1 20 10 sku all [1, 2] Some(7) 0.5");
    let answer = proxy.call("shop", "defaults").arg(1).arg(2).kwarg("order", "qty").kwarg("offset", kinoko::Value::Null).await?;
    assert_eq!(answer, "1 2 10 qty all [1, 2] None 0.5");
    assert_eq!(proxy.call("shop", "options").await?, serde_json::json!([null, null]));
    let error = proxy.call("shop", "login-now").arg("ann").kwarg("type", 1).await.unwrap_err();
    assert_eq!(error.to_string(), "bad request: missing argument `password`");
    let error = proxy.call("shop", "login-now").kwarg("password", 5).await.unwrap_err();
    assert_eq!(error.to_string(), "bad request: argument `password`: wrong type");
    app.stop().await
}
