//! `#[grpc]` and `GrpcClient`, through the server and without a socket.

mod balancing;
mod calls;
mod context;
mod errors;
mod guide;
mod policies;
mod streams;

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use kinoko::{
    grpc::{GrpcClient, ResponseMetadata, Streaming},
    prelude::*,
    testing::{RunningTestApp, TestApp},
};
use kinoko_tests::protos::stock::{Delivery, Item, Level, Stock};
use tokio::sync::watch;

#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
enum StockError {
    #[error("no `{sku}` here")]
    #[fault(code = "UNKNOWN_SKU", grpc = "NOT_FOUND", http = 404)]
    Unknown { sku: String },
    #[error("the shelf is broken")]
    #[fault(code = "BROKEN", grpc = "UNAVAILABLE", retry = true)]
    Broken,
}

/// The levels, by sku, and who watches them.
#[derive(Clone)]
struct Shelf(Arc<watch::Sender<HashMap<String, u32>>>);

impl Dependency for Shelf {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::new())
    }
}

impl Shelf {
    fn new() -> Self {
        let levels = [("TEAPOT".to_owned(), 3), ("CUP".to_owned(), 12)];
        Self(Arc::new(watch::Sender::new(levels.into_iter().collect())))
    }

    fn level(&self, sku: &str) -> Result<Level, StockError> {
        match self.0.borrow().get(sku) {
            Some(left) => Ok(Level { sku: sku.to_owned(), left: *left }),
            None => Err(StockError::Unknown { sku: sku.to_owned() }),
        }
    }

    fn set(&self, sku: &str, left: u32) {
        self.0.send_modify(|levels| _ = levels.insert(sku.to_owned(), left));
    }
}

#[derive(Dependencies)]
struct Warehouse {
    shelf: Shelf,
}

#[service(name = "grpc_warehouse", grpc = Stock, max_workers = 4)]
impl Warehouse {
    /// How many there are of one.
    #[rpc]
    #[grpc]
    async fn check(&self, request: Item) -> Result<Level, StockError> {
        if request.sku == "SLOW" {
            std::future::pending::<()>().await;
        }
        if request.sku == "BROKEN" {
            return Err(StockError::Broken);
        }
        assert_ne!(request.sku, "PANIC", "the teapot is cracked");
        self.shelf.level(&request.sku)
    }

    #[grpc]
    async fn deliver(&self, mut deliveries: Streaming<Delivery>) -> kinoko::Result<Level> {
        let mut last = Level::default();
        while let Some(delivery) = deliveries.next().await {
            let Delivery { sku, amount } = delivery?;
            let left = self.shelf.level(&sku).map_or(0, |level| level.left) + amount;
            self.shelf.set(&sku, left);
            last = Level { sku, left };
        }
        Ok(last)
    }

    #[grpc]
    async fn watch(
        &self,
        request: Item,
    ) -> Result<impl Stream<Item = Result<Level, StockError>> + Send + use<>, StockError> {
        let first = self.shelf.level(&request.sku)?;
        let changes = (self.shelf.clone(), self.shelf.0.subscribe(), first.clone());
        let later = stream::unfold(changes, move |(shelf, mut seen, last)| async move {
            seen.changed().await.ok()?;
            let next = shelf.level(&last.sku);
            let last = next.as_ref().cloned().unwrap_or(last);
            Some((next, (shelf, seen, last)))
        });
        Ok(stream::iter([Ok(first)]).chain(later))
    }

    #[grpc]
    fn ask(&self, items: Streaming<Item>) -> impl Stream<Item = Result<Level, StockError>> + Send + use<> {
        let shelf = self.shelf.clone();
        items.map(move |item| match item {
            Ok(item) => shelf.level(&item.sku),
            Err(_) => Err(StockError::Broken),
        })
    }

    #[grpc]
    fn clear(&self, #[inject] cx: WorkerContext, #[inject] metadata: ResponseMetadata) -> kinoko::Result<()> {
        if let Some(shard) = cx.header("x-shard") {
            metadata.insert("x-cleared", shard.to_string())?;
        }
        self.shelf.0.send_modify(HashMap::clear);
        Ok(())
    }
}

/// The warehouse, its shelf, and a client of it.
async fn warehouse() -> (RunningTestApp, Shelf, GrpcClient<Stock>) {
    let shelf = Shelf::new();
    let app = TestApp::new().service::<Warehouse>().replace(shelf.clone()).start().await.unwrap();
    let client = app.grpc::<Stock>().unwrap();
    (app, shelf, client)
}

fn item(sku: &str) -> Item {
    Item { sku: sku.to_owned() }
}

fn level(sku: &str, left: u32) -> Level {
    Level { sku: sku.to_owned(), left }
}

const SOON: Duration = Duration::from_millis(200);
