//! Every spelling of a return type is served and comes back.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, clippy::all, clippy::pedantic)]
#![allow(clippy::unused_async, clippy::unused_self, reason = "short methods")]

use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("only {left} of {sku} left")]
    #[fault(code = "OUT_OF_STOCK", http = 409, grpc = "FAILED_PRECONDITION", retry = false)]
    OutOfStock { sku: String, left: u32 },
    #[error("no such article: {0}")]
    NotFound(String),
}

type Fallible<T> = Result<T, StockError>;

#[derive(Dependencies)]
struct Stock;

#[service(name = "stock")]
impl Stock {
    #[rpc]
    async fn plain(&self) -> u32 {
        7
    }

    #[rpc]
    fn nothing(&self) {}

    /// A written result.
    #[rpc(expected(OutOfStock))]
    async fn written(&self, fail: bool) -> Result<String, StockError> {
        if fail { Err(StockError::OutOfStock { sku: "A-1".to_owned(), left: 2 }) } else { Ok("there".to_owned()) }
    }

    #[rpc(expected(StockError::NotFound))]
    fn alias(&self, fail: bool) -> Fallible<Vec<u8>> {
        if fail { Err(StockError::NotFound("B-2".to_owned())) } else { Ok(vec![1, 2]) }
    }

    #[rpc(expected(StockError))]
    fn all_expected(&self) -> Result<u8, StockError> {
        Ok(2)
    }

    #[rpc]
    async fn internal(&self, fail: bool) -> kinoko::Result<u8> {
        if fail { Err(kinoko::Error::msg("disk full")) } else { Ok(1) }
    }

    #[rpc]
    fn borrowed(&self) -> &'static str {
        "static"
    }

    #[rpc]
    fn borrowed_inside(&self) -> Option<[&'static str; 2]> {
        Some(["also", "static"])
    }

    #[rpc]
    fn borrowed_in_an_alias(&self) -> kinoko::Result<Vec<&'static str>> {
        Ok(vec!["static"])
    }

    #[rpc]
    fn tuple(&self) -> (u8, Option<String>) {
        (1, None)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let stock = StockClient::from_service(Stock);
    assert_eq!(stock.plain().await.unwrap(), 7);
    stock.nothing().await.unwrap();
    assert_eq!(stock.written(false).await.unwrap(), "there");
    let error = stock.written(true).await.unwrap_err();
    assert!(matches!(error, CallError::Service(StockError::OutOfStock { left: 2, .. })));
    assert_eq!(stock.alias(false).await.unwrap(), [1, 2]);
    assert!(matches!(stock.alias(true).await, Err(CallError::Service(StockError::NotFound(sku))) if sku == "B-2"));
    assert_eq!(stock.internal(false).await.unwrap(), 1);
    assert!(matches!(stock.internal(true).await, Err(CallError::Remote(fault)) if fault.value == "disk full"));
    assert_eq!(stock.all_expected().await.unwrap(), 2);
    assert_eq!(stock.borrowed().await.unwrap(), "static");
    // The caller gets owned types, wherever the borrow stood.
    let inside: Option<[String; 2]> = stock.borrowed_inside().await.unwrap();
    assert_eq!(inside.unwrap(), ["also", "static"]);
    assert_eq!(stock.borrowed_in_an_alias().await.unwrap(), ["static"]);
    assert_eq!(stock.tuple().await.unwrap(), (1, None));
}
