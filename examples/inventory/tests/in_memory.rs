//! The inventory in its container, with settings of the test.

use contracts::{InventoryClient, InventoryError, Line, Sku};
use inventory_service::InventoryService;
use kinoko::{CallError, testing::TestApp};

#[tokio::test]
async fn the_stock_is_what_the_settings_say() -> kinoko::Result<()> {
    let app = TestApp::new().service::<InventoryService>().yaml("inventory: {stock: {TEAPOT: 2}}").start().await?;
    let inventory = app.client::<InventoryClient>();
    assert_eq!(inventory.available(Sku::new("TEAPOT")).await?, 2);

    let error = inventory.reserve(1, vec![Line::new("TEAPOT", 3)]).await.unwrap_err();
    let CallError::Service(error) = error else { panic!("expected a refusal, got {error:?}") };
    assert_eq!(error, InventoryError::OutOfStock { sku: Sku::new("TEAPOT"), left: 2 });
    app.stop().await
}
