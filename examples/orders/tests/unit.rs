//! The orders service as a plain struct with a fake for what it calls: no framework runs.

use contracts::{Inventory, InventoryClient, InventoryError, Line, OrderError, Reservation, Sku};
use kinoko::CallError;
use orders_service::{Ledger, OrdersService};

/// An inventory that has nothing.
struct SoldOut;

impl Inventory for SoldOut {
    async fn reserve(&self, _order_id: u64, lines: Vec<Line>) -> Result<Reservation, InventoryError> {
        Err(InventoryError::OutOfStock { sku: lines[0].sku.clone(), left: 0 })
    }

    async fn release(&self, _order_id: u64) -> Result<(), InventoryError> {
        Ok(())
    }

    async fn available(&self, _sku: Sku) -> Result<u32, InventoryError> {
        Ok(0)
    }
}

#[tokio::test]
async fn what_is_sold_out_cannot_be_ordered() {
    let ledger = Ledger::default();
    let orders = OrdersService::new(ledger.clone(), InventoryClient::from_service(SoldOut), 50);

    let refused = orders.place(None, "Ada".into(), vec![Line::new("TEAPOT", 1)]).await;

    let Err(OrderError::Inventory(CallError::Service(refused))) = refused else { panic!("{refused:?}") };
    assert_eq!(refused, InventoryError::OutOfStock { sku: Sku::new("TEAPOT"), left: 0 });
    assert_eq!(ledger.find(1), None);
}

#[tokio::test]
async fn an_order_has_at_least_one_line_and_not_too_many() {
    let orders = OrdersService::new(Ledger::default(), InventoryClient::from_service(SoldOut), 1);
    let empty = orders.place(None, "Ada".into(), vec![]).await;
    assert!(matches!(empty, Err(OrderError::Empty)));
    let long = orders.place(None, "Ada".into(), vec![Line::new("TEAPOT", 1), Line::new("CUP", 1)]).await;
    assert!(matches!(long, Err(OrderError::TooManyLines { lines: 2, limit: 1 })));
}
