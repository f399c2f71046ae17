//! Errors that travel: the same variant at the other end, and through a service between.

use kinoko::{CallError, Fault, ServiceError as _, prelude::*};

#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
enum StockError {
    #[error("only {left} of {sku} left")]
    #[fault(
        code = "OUT_OF_STOCK",
        http = 409,
        grpc = "FAILED_PRECONDITION",
        retry = false,
        path = "shop.errors.OutOfStock"
    )]
    OutOfStock { sku: String, left: u32 },
    #[error("no article {0}")]
    #[fault(http = 404)]
    UnknownSku(String),
    #[error("closed")]
    #[fault(retry = true)]
    Closed,
    #[error("the disk is full")]
    #[fault(internal)]
    Disk(#[from] std::fmt::Error),
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum OrderError {
    #[error("no lines")]
    Empty,
    #[error(transparent)]
    #[fault(forward)]
    Stock(#[from] CallError<StockError>),
}

#[derive(Dependencies)]
struct ErrorsStock;

#[service(name = "errors_stock")]
impl ErrorsStock {
    #[rpc]
    fn take(&self, sku: String) -> Result<u32, StockError> {
        match sku.as_str() {
            "A" => Err(StockError::OutOfStock { sku, left: 2 }),
            "B" => Err(StockError::UnknownSku(sku)),
            "C" => Err(StockError::Closed),
            "D" => Err(std::fmt::Error.into()),
            _ => Ok(1),
        }
    }
}

#[derive(Dependencies)]
struct ErrorsOrders {
    stock: ErrorsStockClient,
}

#[service(name = "errors_orders")]
impl ErrorsOrders {
    #[rpc]
    async fn place(&self, sku: String) -> Result<u32, OrderError> {
        if sku.is_empty() {
            return Err(OrderError::Empty);
        }
        Ok(self.stock.take(sku).await?)
    }

    #[rpc]
    async fn careless(&self, sku: String) -> kinoko::Result<u32> {
        Ok(self.stock.take(sku).await?)
    }
}

#[tokio::test]
async fn each_variant_comes_back_as_itself() {
    let app = App::new().service::<ErrorsStock>().start().await.unwrap();
    let stock = app.client::<ErrorsStockClient>();
    let taken = |sku: &str| stock.take(sku.into()).into_future();
    use std::future::IntoFuture;
    for (sku, expected) in [
        ("A", StockError::OutOfStock { sku: "A".into(), left: 2 }),
        ("B", StockError::UnknownSku("B".into())),
        ("C", StockError::Closed),
    ] {
        match taken(sku).await {
            Err(CallError::Service(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
    match taken("D").await {
        Err(CallError::Remote(fault)) => assert_eq!(fault.code, None, "a foreign error has no code to come back by"),
        other => panic!("{other:?}"),
    }
    assert_eq!(taken("E").await.unwrap(), 1);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_forwarded_error_passes_through_a_service_between() {
    let app = App::new().service::<ErrorsStock>().service::<ErrorsOrders>().start().await.unwrap();
    let orders = app.client::<ErrorsOrdersClient>();
    match orders.place("A".into()).await {
        Err(CallError::Service(OrderError::Stock(CallError::Service(StockError::OutOfStock { left: 2, .. })))) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(orders.place(String::new()).await, Err(CallError::Service(OrderError::Empty))));
    // Seen by somebody without the type: code, data, status and retryability are the inner error's.
    match app.proxy().call("errors_orders", "place").arg("A").await {
        Err(CallError::Remote(fault)) => {
            assert_eq!(fault.code.as_deref(), Some("OUT_OF_STOCK"));
            assert_eq!((fault.http, fault.retryable), (Some(409), Some(false)));
            assert_eq!(fault.exc_path, "shop.errors.OutOfStock");
            assert_eq!(fault.data.unwrap()["left"], 2);
        }
        other => panic!("{other:?}"),
    }
    // Let through without a type it is an internal error of the service between.
    assert!(matches!(orders.careless("A".into()).await, Err(CallError::Remote(_))));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_forwarded_failure_of_the_call_itself_has_a_gateways_status() {
    let app = App::new().service::<ErrorsOrders>().start().await.unwrap();
    match app.client::<ErrorsOrdersClient>().place("A".into()).await {
        Err(CallError::Remote(fault)) => {
            assert_eq!((fault.code.as_deref(), fault.http), (Some("UNKNOWN_SERVICE"), Some(503)));
            assert_eq!(fault.retryable, Some(true), "nothing can have run");
        }
        other => panic!("{other:?}"),
    }
    app.stop().await.unwrap();
}

#[test]
fn the_wire_form_has_namekos_keys_and_ours() {
    let fault = StockError::OutOfStock { sku: "A".into(), left: 2 }.to_fault();
    assert_eq!(
        serde_json::to_value(&fault).unwrap(),
        serde_json::json!({
            "exc_type": "OutOfStock", "exc_path": "shop.errors.OutOfStock",
            "exc_args": ["A", "2"], "value": "only 2 of A left",
            "code": "OUT_OF_STOCK", "data": {"sku": "A", "left": 2}, "retryable": false,
            "http": 409, "grpc": "FAILED_PRECONDITION"
        })
    );
    let closed = StockError::Closed.to_fault();
    assert_eq!(closed.code.as_deref(), Some("CLOSED"));
    assert_eq!(closed.exc_path, "suite.errors.Closed");
}

#[test]
fn data_that_does_not_fit_is_an_unknown_error_not_a_panic() {
    let mut fault = StockError::UnknownSku("B".into()).to_fault();
    fault.data = None;
    assert_eq!(StockError::from_fault(&fault), None);
    assert_eq!(StockError::from_fault(&Fault::default()), None);
}

#[test]
fn what_would_be_refused_again_is_not_to_be_repeated() {
    let missing = CallError::<StockError>::MethodNotFound { service: "a".into(), method: "b".into() };
    assert_eq!(missing.to_fault().retryable, Some(false));
    assert_eq!(CallError::<StockError>::Unavailable("away".into()).to_fault().retryable, Some(true));
    assert_eq!(CallError::<StockError>::ReplyChannelLost.to_fault().retryable, None, "nobody knows whether it ran");
}
