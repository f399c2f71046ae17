//! The inventory as a plain struct: no framework runs.

use contracts::{Inventory, InventoryError, Line, Sku};
use inventory_service::{InventoryService, Stock};

fn inventory() -> InventoryService {
    InventoryService::new(Stock::of([(Sku::new("TEAPOT"), 3)].into()))
}

#[tokio::test]
async fn all_lines_are_put_aside_or_none() {
    let inventory = inventory();
    let refused = inventory.reserve(1, vec![Line::new("TEAPOT", 1), Line::new("CUP", 1)]).await;
    assert_eq!(refused, Err(InventoryError::UnknownSku(Sku::new("CUP"))));
    assert_eq!(inventory.available(Sku::new("TEAPOT")).await, Ok(3));
}

#[tokio::test]
async fn a_request_that_comes_twice_puts_aside_once() {
    let inventory = inventory();
    for _ in 0..2 {
        inventory.reserve(1, vec![Line::new("TEAPOT", 2)]).await.unwrap();
    }
    assert_eq!(inventory.available(Sku::new("TEAPOT")).await, Ok(1));
    inventory.release(1).await.unwrap();
    assert_eq!(inventory.available(Sku::new("TEAPOT")).await, Ok(3));
}
