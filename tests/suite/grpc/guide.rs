//! What the guide's page on gRPC shows.

use futures_util::{Stream, StreamExt, stream};
use kinoko::{CallError, grpc::GrpcClient, prelude::*, testing::TestApp};

mod inventory {
    kinoko::proto!("inventory.v1");
}
use inventory::{Inventory, Stock, StockRequest};

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("no `{sku}` here")]
    #[fault(code = "UNKNOWN_SKU", grpc = "NOT_FOUND", http = 404)]
    Unknown { sku: String },
}

#[derive(Dependencies)]
struct Warehouse {
    shelf: Shelf,
}

#[service(name = "inventory", grpc = Inventory)]
impl Warehouse {
    /// One method for callers of both kinds.
    #[rpc]
    #[grpc(timeout = "2s")]
    async fn check_stock(&self, request: StockRequest) -> Result<Stock, StockError> {
        self.shelf.stock(request.sku)
    }

    /// Goes on for as long as somebody listens.
    #[grpc]
    async fn watch_stock(
        &self,
        request: StockRequest,
    ) -> Result<impl Stream<Item = Result<Stock, StockError>> + Send + use<>, StockError> {
        Ok(self.shelf.changes(request.sku))
    }
}

#[derive(Dependencies)]
struct Shop {
    #[dependency(timeout = "2s", retry = 3, breaker)]
    inventory: GrpcClient<Inventory>,
}

#[service(name = "shop")]
impl Shop {
    #[http(GET, "/stock/{sku}")]
    async fn stock(&self, sku: String) -> kinoko::Result<u32> {
        Ok(self.inventory.check_stock(StockRequest { sku }).await?.left)
    }

    #[rpc]
    async fn is_sold(&self, sku: String) -> kinoko::Result<bool> {
        match self.inventory.check_stock(StockRequest { sku }).errors::<StockError>().await {
            Ok(_) => Ok(true),
            Err(CallError::Service(StockError::Unknown { .. })) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stock_is_checked() -> kinoko::Result<()> {
    let app = TestApp::new().service::<Warehouse>().start().await?;
    let inventory = app.grpc::<Inventory>()?;
    assert_eq!(inventory.check_stock(StockRequest { sku: "TEAPOT".into() }).await?.left, 3);
    app.stop().await
}

#[tokio::test(start_paused = true)]
async fn what_the_page_shows_works() {
    let app = TestApp::new().service::<Warehouse>().service::<Shop>().start().await.unwrap();
    let shop = app.client::<ShopClient>();
    assert!(shop.is_sold("TEAPOT".into()).await.unwrap());
    assert!(!shop.is_sold("SPOON".into()).await.unwrap());
    assert_eq!(app.http().get("/stock/TEAPOT").send().await.unwrap().json::<u32>().unwrap(), 3);
    let inventory = app.grpc::<Inventory>().unwrap();
    let mut stocks = inventory.watch_stock(StockRequest { sku: "TEAPOT".into() }).await.unwrap();
    assert_eq!(stocks.next().await.unwrap().unwrap().left, 3);
    assert!(stocks.next().await.is_none());
    app.stop().await.unwrap();
}

/// Three teapots.
#[derive(Clone)]
struct Shelf;

impl Dependency for Shelf {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self)
    }
}

impl Shelf {
    fn stock(&self, sku: String) -> Result<Stock, StockError> {
        if sku == "TEAPOT" { Ok(Stock { sku, left: 3 }) } else { Err(StockError::Unknown { sku }) }
    }

    fn changes(&self, sku: String) -> impl Stream<Item = Result<Stock, StockError>> + Send + use<> {
        stream::iter([self.stock(sku)])
    }
}
