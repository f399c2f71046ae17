//! What goes along with a call, and what comes with its answer.

use kinoko::{grpc::GrpcClient, prelude::*, testing::TestApp};
use kinoko_tests::protos::stock::{Delivery, Item, Level, Stock};

use super::item;

/// Tells what came along.
#[derive(Dependencies)]
struct Told;

#[service(name = "grpc_told")]
impl Told {
    #[grpc(Stock::check)]
    fn check(&self, request: Item, #[inject] cx: WorkerContext) -> Level {
        let value = match &*request.sku {
            "parents" => cx
                .parent_call_ids()
                .iter()
                .map(|id| id.rsplit_once('.').unwrap().0.to_owned())
                .collect::<Vec<_>>()
                .join(","),
            "deadline" => cx.remaining().map_or_else(String::new, |left| left.as_secs().to_string()),
            "trace" => cx.trace_id().unwrap_or_default(),
            key => cx.get(key).or_else(|| cx.header(key)).map_or_else(String::new, ToString::to_string),
        };
        Level { sku: value, left: 0 }
    }
}

#[derive(Dependencies)]
struct Asking {
    stock: GrpcClient<Stock>,
}

#[service(name = "grpc_asking")]
impl Asking {
    #[rpc]
    async fn ask(&self, key: String) -> kinoko::Result<String> {
        Ok(self.stock.check(item(&key)).await?.sku)
    }

    #[rpc]
    fn trace(&self, #[inject] cx: WorkerContext) -> Option<String> {
        cx.trace_id()
    }
}

#[tokio::test(start_paused = true)]
async fn the_workers_context_goes_along() {
    let app = TestApp::new().service::<Told>().service::<Asking>().start().await.unwrap();
    let hook = app.hook().context("tenant", "acme").context("language", "zürich").auth_token("t0ken");
    let asking = hook.client::<AskingClient>();
    for (key, value) in [
        ("tenant", "\"acme\""),
        ("language", "\"zürich\""),
        ("auth_token", "\"t0ken\""),
        ("parents", "standalone_rpc_client,grpc_asking.ask"),
        ("deadline", "29"),
    ] {
        let told = asking.ask(key.into()).await.unwrap();
        assert!(told.contains(value) || (key == "deadline" && told == "30"), "{key}: {told}");
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_has_metadata_of_its_own() {
    let app = TestApp::new().service::<Told>().start().await.unwrap();
    let stock = app.grpc::<Stock>().unwrap();
    let told = stock.check(item("x-shard")).metadata("x-shard", "7").await.unwrap();
    assert_eq!(told.sku, "\"7\"");
    let told = stock.check(item("tenant")).context("tenant", "acme").await.unwrap();
    assert_eq!(told.sku, "\"acme\"");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn others_of_the_services_methods_are_not_there() {
    let app = TestApp::new().service::<Told>().start().await.unwrap();
    let stock = app.grpc::<Stock>().unwrap();
    let error = stock.deliver(futures_util::stream::iter([Delivery::default()])).await.unwrap_err();
    assert!(matches!(&error, kinoko::CallError::MethodNotFound { method, .. } if method == "Deliver"), "{error:?}");
    app.stop().await.unwrap();
}
