//! kinoko calls a server of grpcio's.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use kinoko::{Settings, grpc::GrpcClient, prelude::*};

use super::{Article, Server, Stock, Warehouse, WarehouseError};

fn stock(sku: &str, count: i64) -> Stock {
    Stock { sku: sku.to_owned(), count }
}

fn article(sku: &str) -> Article {
    Article { sku: sku.to_owned() }
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn all_four_patterns_reach_grpcio() {
    let server = Server::start("grpc_server.py", &[]).await;
    for compression in ["false", "true"] {
        let settings = Settings::from_yaml(&format!("grpc: {{client: {{compression: {compression}}}}}")).unwrap();
        let client = GrpcClient::<Warehouse>::connect_with(&server.address, &settings).unwrap();
        assert_eq!(client.check(article("nut")).await.unwrap(), stock("nut", 3));
        let sent = stream::iter([stock("a", 1), stock("b", 2), stock("c", 3)]);
        assert_eq!(client.receive(sent).await.unwrap(), stock("c", 6));
        let watched: Vec<_> = client.watch(article("nut")).await.unwrap().try_collect().await.unwrap();
        assert_eq!(watched, [stock("nut", 1), stock("nut", 2), stock("nut", 3)]);
        let sent = stream::iter([stock("a", 1), stock("b", 2)]);
        let answers: Vec<_> = client.chat(sent).await.unwrap().try_collect().await.unwrap();
        assert_eq!(answers, [stock("a", 2), stock("b", 4)]);
    }
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn an_error_of_grpcio_with_details_is_the_variant_and_one_without_is_its_status() {
    let server = Server::start("grpc_server.py", &[]).await;
    let client = GrpcClient::<Warehouse>::connect(&server.address).unwrap();
    let error = client.reserve(stock("nut", 5)).await.unwrap_err();
    let expected = WarehouseError::OutOfStock { sku: "nut".to_owned(), left: 2 };
    assert!(matches!(&error, CallError::Service(error) if *error == expected), "{error:?}");

    let error = client.reserve(stock("", 5)).await.unwrap_err();
    let CallError::Remote(fault) = &error else { panic!("{error:?}") };
    assert_eq!((fault.grpc.as_deref(), &*fault.value), (Some("NOT_FOUND"), "what?"));

    let mut watched = client.watch(article("short")).await.unwrap();
    let mut counts = Vec::new();
    let last = loop {
        match watched.next().await.expect("it ends with an error") {
            Ok(stock) => counts.push(stock.count),
            Err(error) => break error,
        }
    };
    assert_eq!(counts, [1, 2, 3]);
    assert!(matches!(last, CallError::Service(WarehouseError::OutOfStock { left: 0, .. })), "{last:?}");
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_is_told_the_deadline_and_the_metadata() {
    let server = Server::start("grpc_server.py", &[]).await;
    let client = GrpcClient::<Warehouse>::connect(&server.address).unwrap();
    let seen = client.seen(()).metadata("x-shard", "7").timeout(Duration::from_secs(20)).await.unwrap();
    assert_eq!((&*seen.shard, seen.has_deadline), ("7", true));
    let error = client.hold(article("nut")).timeout(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout(_)), "{error:?}");
}
