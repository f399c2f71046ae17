//! One request, one response.

use std::time::Duration;

use kinoko::{CallError, grpc::GrpcClient, prelude::*, testing::TestApp};
use kinoko_tests::protos::stock::Stock;
use tokio::time::Instant;

use super::{SOON, Warehouse, WarehouseClient, item, level, warehouse};

#[tokio::test(start_paused = true)]
async fn a_call_is_answered() {
    let (app, _, stock) = warehouse().await;
    assert_eq!(stock.check(item("TEAPOT")).await.unwrap(), level("TEAPOT", 3));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_method_stands_behind_rpc_and_grpc() {
    let (app, shelf, stock) = warehouse().await;
    shelf.set("TEAPOT", 7);
    let by_rpc = app.client::<WarehouseClient>().check(item("TEAPOT")).await.unwrap();
    assert_eq!(by_rpc, stock.check(item("TEAPOT")).await.unwrap());
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_and_nothing_given() {
    let (app, shelf, stock) = warehouse().await;
    stock.clear(()).await.unwrap();
    assert!(shelf.level("TEAPOT").is_err());
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_no_longer_than_it_says() {
    let (app, _, stock) = warehouse().await;
    let began = Instant::now();
    let error = stock.check(item("SLOW")).timeout(SOON).await.unwrap_err();
    let CallError::Timeout(timeout) = error else { panic!("{error}") };
    assert_eq!((timeout.method.as_str(), timeout.after, timeout.sent), ("Check", SOON, true));
    assert!(began.elapsed() < SOON * 2);
    // The worker was told: its place is free again.
    for _ in 0..8 {
        stock.check(item("SLOW")).timeout(SOON).await.unwrap_err();
    }
    assert_eq!(stock.check(item("TEAPOT")).timeout(SOON).await.unwrap(), level("TEAPOT", 3));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_method_that_takes_too_long_is_late() {
    let (app, _, stock) = warehouse().await;
    let began = Instant::now();
    let error = stock.check(item("SLOW")).timeout(Duration::from_secs(300)).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 30, "the setting grpc.timeout");
    let CallError::Remote(fault) = error else { panic!("{error}") };
    assert_eq!(fault.grpc.as_deref(), Some("DEADLINE_EXCEEDED"), "{fault}");
    app.stop().await.unwrap();
}

/// Calls the warehouse, and has nothing else to do.
#[derive(Dependencies)]
struct Shop {
    stock: GrpcClient<Stock>,
}

#[service(name = "grpc_shop")]
impl Shop {
    #[rpc]
    async fn left(&self, sku: String) -> kinoko::Result<u32> {
        Ok(self.stock.check(item(&sku)).await?.left)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_program_serves_itself_it_need_not_look_for() {
    let app = TestApp::new().service::<Shop>().service::<Warehouse>().start().await.unwrap();
    assert_eq!(app.client::<ShopClient>().left("CUP".into()).await.unwrap(), 12);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn without_an_address_the_start_ends_and_says_what_to_write() {
    let error = TestApp::new().service::<Shop>().start().await.unwrap_err().to_string();
    for part in ["kinoko.tests.v1.Stock", "does not serve", "discovery.services.stock"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_call_that_reaches_nobody_was_not_sent() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stock = GrpcClient::<Stock>::connect(nobody.to_string()).unwrap();
    let error = stock.check(item("TEAPOT")).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable(_)), "{error:?}");
    assert!(!error.may_have_run());
}
