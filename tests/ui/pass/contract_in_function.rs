//! A contract inside a function, with a fake, and a service in either form.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use kinoko::prelude::*;

#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
enum StockError {
    #[error("only {0} left")]
    OutOfStock(u32),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> kinoko::Result<()> {
    /// What is in stock.
    #[contract(name = "inventory")]
    pub(crate) trait Inventory {
        /// Puts articles aside.
        #[rpc(timeout = "3s")]
        async fn reserve(&self, order: u64, skus: Vec<String>) -> Result<usize, StockError>;
        async fn clear(&self);
        #[rpc(name = "size_of")]
        fn size(&self, sku: &str, #[default(2)] factor: u32) -> u32;
    }

    struct Fake(AtomicU64);

    impl Inventory for Fake {
        async fn reserve(&self, order: u64, skus: Vec<String>) -> Result<usize, StockError> {
            tokio::task::yield_now().await;
            self.0.store(order, Ordering::Relaxed);
            if skus.is_empty() { Err(StockError::OutOfStock(0)) } else { Ok(skus.len()) }
        }

        async fn clear(&self) {
            self.0.store(0, Ordering::Relaxed);
        }

        fn size(&self, sku: &str, factor: u32) -> u32 {
            u32::try_from(sku.len()).unwrap() * factor
        }
    }

    let client = InventoryClient::from_service(Fake(AtomicU64::new(0)));
    assert_eq!(client.reserve(7, vec!["A".to_owned()]).await?, 1);
    assert!(matches!(client.reserve(7, vec![]).await, Err(CallError::Service(StockError::OutOfStock(0)))));
    client.clear().await?;
    assert_eq!(client.size("four", 3).await?, 12);

    #[derive(Dependencies)]
    struct Warehouse;

    impl Inventory for Warehouse {
        async fn reserve(&self, _: u64, skus: Vec<String>) -> Result<usize, StockError> {
            Ok(skus.len())
        }
        async fn clear(&self) {}
        fn size(&self, sku: &str, factor: u32) -> u32 {
            u32::try_from(sku.len()).unwrap() + factor
        }
    }

    #[service(contract = Inventory, max_workers = 3)]
    impl Warehouse {}

    let app = kinoko::App::new().service::<Warehouse>().start().await?;
    assert_eq!(app.client::<InventoryClient>().size("four", 1).await?, 5);
    assert_eq!(app.proxy().call("inventory", "size_of").arg("four").await?, 6);
    app.stop().await?;

    /// What is told of a service.
    #[derive(Clone)]
    struct Counter(Arc<AtomicU64>);

    impl Dependency for Counter {
        type Options = ();
        async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
            Ok(Self(Arc::default()))
        }
    }

    #[derive(Dependencies)]
    struct Store {
        calls: Counter,
    }

    #[service(contract = Inventory)]
    impl Store {
        #[rpc(expected(OutOfStock))]
        async fn reserve(&self, #[inject] cx: WorkerContext, order: u64, skus: Vec<String>) -> Result<usize, StockError> {
            self.calls.0.fetch_add(order, Ordering::Relaxed);
            assert_eq!(cx.entrypoint(), "reserve");
            Ok(skus.len())
        }

        #[rpc]
        fn clear(&self) {}

        #[rpc]
        async fn size(&self, sku: &str, #[default(3)] factor: u32) -> u32 {
            u32::try_from(sku.len()).unwrap() * factor
        }
    }

    let descriptor = <Store as kinoko::__private::Service>::DESCRIPTOR;
    let methods: Vec<_> = descriptor.methods.iter().map(|method| (method.name, method.timeout, method.doc)).collect();
    let timeout = Some(std::time::Duration::from_secs(3));
    assert_eq!(methods, [("reserve", timeout, "Puts articles aside."), ("clear", None, ""), ("size_of", None, "")]);
    assert_eq!((descriptor.name, descriptor.doc), ("inventory", "What is in stock."));

    let app = kinoko::App::new().service::<Store>().start().await?;
    let client = app.client::<InventoryClient>();
    assert_eq!(client.reserve(5, vec!["A".to_owned(), "B".to_owned()]).await?, 2);
    assert_eq!(client.size("four", 1).await?, 4);
    app.stop().await
}
