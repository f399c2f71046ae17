//! The orders service in its container, and what the test meddles with.

mod world;

use std::time::Duration;

use contracts::{Inventory, InventoryClient, InventoryError, Line, OrdersClient, Reservation, Sku};
use kinoko::{CallError, testing::TestApp};
use orders_service::OrdersService;
use world::World;

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

/// The orders service over fakes.
fn orders(world: &World) -> TestApp {
    TestApp::new().service::<OrdersService>().replace(world.inventory()).replace(world.payments())
}

fn teapot() -> Vec<Line> {
    vec![Line::new("TEAPOT", 1)]
}

#[tokio::test]
async fn an_order_is_written_down() -> kinoko::Result<()> {
    let world = World::default();
    let app = orders(&world).start().await?;
    let client = app.client::<OrdersClient>();

    let order = client.place("Ada".into(), teapot()).await?;

    assert_eq!(client.get(order.id).await?, order);
    assert_eq!(world.asked(), ["reserve 1", "charge 1: 2450"]);
    app.stop().await
}

#[tokio::test]
async fn whoever_asks_again_under_the_same_key_hears_of_the_same_order() -> kinoko::Result<()> {
    let world = World::default();
    let app = orders(&world).start().await?;
    let client = app.client::<OrdersClient>();
    let place = || client.place("Ada".into(), teapot()).idempotency_key("ada-1");

    let (first, second) = (place().await?, place().await?);

    assert_eq!(first, second);
    assert_eq!(world.asked(), ["reserve 1", "charge 1: 2450"]);
    assert_ne!(client.place("Ada".into(), teapot()).await?.id, first.id, "without a key it is another order");
    app.stop().await
}

#[tokio::test]
async fn a_hook_calls_as_somebody() -> kinoko::Result<()> {
    let app = orders(&World::default()).start().await?;
    let placed = app.waiter("orders", "place");

    let german = app.hook().language("de").called_by(["web.checkout.1"]);
    german.client::<OrdersClient>().place("Ada".into(), teapot()).await?;

    let placed = placed.await?;
    assert_eq!(placed.context().get("language").unwrap(), "de");
    assert_eq!(placed.context().origin_call_id().unwrap(), "web.checkout.1");
    app.stop().await
}

#[tokio::test]
async fn a_customer_waits_no_longer_than_it_wants() -> kinoko::Result<()> {
    let slow = InventoryClient::from_service(Slow(Duration::from_millis(400)));
    let app = TestApp::new().service::<OrdersService>().replace(slow).replace(World::default().payments());
    let app = app.start().await?;
    let placed = app.waiter("orders", "place");

    let place = app.client::<OrdersClient>().place("Ada".into(), teapot()).timeout(Duration::from_millis(100));
    let error = place.await.unwrap_err().to_string();
    assert!(error.contains("did not answer within"), "{error}");

    // The service has given up as well. The saga has not: it goes on to its end, whoever waits.
    placed.await?;
    app.stop().await
}

#[tokio::test]
async fn only_reading_is_left() -> kinoko::Result<()> {
    let app = orders(&World::default()).only_entrypoints("orders", ["get"]).start().await?;
    let gone = app.client::<OrdersClient>().place("Ada".into(), teapot()).await;
    assert!(matches!(gone, Err(CallError::MethodNotFound { .. })));
    app.stop().await
}
