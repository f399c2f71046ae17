//! The orders service in its container, and what the test meddles with.

use std::time::Duration;

use contracts::{Inventory, InventoryClient, InventoryError, Line, OrdersClient, Reservation, Sku};
use kinoko::{CallError, testing::TestApp};
use orders_service::{Ledger, OrdersService};

/// An inventory that takes its time.
struct Slow(Duration);

impl Inventory for Slow {
    async fn reserve(&self, order_id: u64, lines: Vec<Line>) -> Result<Reservation, InventoryError> {
        tokio::time::sleep(self.0).await;
        Ok(Reservation { order_id, lines })
    }

    async fn release(&self, _order_id: u64) -> Result<(), InventoryError> {
        Ok(())
    }

    async fn available(&self, _sku: Sku) -> Result<u32, InventoryError> {
        Ok(1)
    }
}

/// The orders service over an inventory that takes this long.
fn orders(inventory: Duration) -> TestApp {
    TestApp::new().service::<OrdersService>().replace(InventoryClient::from_service(Slow(inventory)))
}

fn teapot() -> Vec<Line> {
    vec![Line::new("TEAPOT", 1)]
}

#[tokio::test]
async fn an_order_is_written_down() -> kinoko::Result<()> {
    let ledger = Ledger::default();
    let app = orders(Duration::ZERO).replace(ledger.clone()).start().await?;

    let order = app.client::<OrdersClient>().place("Ada".into(), teapot()).await?;

    assert_eq!(ledger.find(order.id), Some(order));
    app.stop().await
}

#[tokio::test]
async fn a_hook_calls_as_somebody() -> kinoko::Result<()> {
    let app = orders(Duration::ZERO).start().await?;
    let placed = app.waiter("orders", "place");

    let german = app.hook().language("de").called_by(["web.checkout.1"]);
    german.client::<OrdersClient>().place("Ada".into(), teapot()).await?;

    let placed = placed.await?;
    assert_eq!(placed.context().get("language").unwrap(), "de");
    assert_eq!(placed.context().origin_call_id().unwrap(), "web.checkout.1");
    app.stop().await
}

// Nobody waits an hour: the clock stands still, and jumps when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn a_customer_waits_no_longer_than_it_wants() -> kinoko::Result<()> {
    let app = orders(Duration::from_secs(3_600)).start().await?;
    let placed = app.waiter("orders", "place");

    let place = app.client::<OrdersClient>().place("Ada".into(), teapot()).timeout(Duration::from_secs(10));
    let error = place.await.unwrap_err().to_string();
    assert!(error.contains("did not answer within"), "{error}");

    // The service has given up as well, by itself or because the inventory was too late for it.
    placed.await?;
    app.stop().await
}

#[tokio::test]
async fn only_reading_is_left() -> kinoko::Result<()> {
    let app = orders(Duration::ZERO).only_entrypoints("orders", ["get"]).start().await?;
    let gone = app.client::<OrdersClient>().place("Ada".into(), teapot()).await;
    assert!(matches!(gone, Err(CallError::MethodNotFound { .. })));
    app.stop().await
}
