//! The orders service as a plain struct with a fake for what it calls: no framework runs.

use contracts::{Inventory, InventoryClient, InventoryError, Line, OrderCancelled, OrderError, Reservation, Sku};
use kinoko::{CallError, EventDispatcher};
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
    let orders =
        OrdersService::new(ledger.clone(), InventoryClient::from_service(SoldOut), EventDispatcher::recording().0, 50);

    let refused = orders.place(None, "Ada".into(), vec![Line::new("TEAPOT", 1)]).await;

    let Err(OrderError::Inventory(CallError::Service(refused))) = refused else { panic!("{refused:?}") };
    assert_eq!(refused, InventoryError::OutOfStock { sku: Sku::new("TEAPOT"), left: 0 });
    assert_eq!(ledger.find(1), None);
}

#[tokio::test]
async fn an_order_has_at_least_one_line_and_not_too_many() {
    let orders = OrdersService::new(
        Ledger::default(),
        InventoryClient::from_service(SoldOut),
        EventDispatcher::recording().0,
        1,
    );
    let empty = orders.place(None, "Ada".into(), vec![]).await;
    assert!(matches!(empty, Err(OrderError::Empty)));
    let long = orders.place(None, "Ada".into(), vec![Line::new("TEAPOT", 1), Line::new("CUP", 1)]).await;
    assert!(matches!(long, Err(OrderError::TooManyLines { lines: 2, limit: 1 })));
}

#[tokio::test]
async fn whoever_cancels_an_order_tells_the_others() -> kinoko::Result<()> {
    let (events, dispatched) = EventDispatcher::recording();
    let ledger = Ledger::default();
    let orders = OrdersService::new(ledger.clone(), InventoryClient::from_service(SoldOut), events, 50);
    let order = ledger.write(ledger.next_id(), "Ada".into(), vec![Line::new("TEAPOT", 1)]);

    assert_eq!(orders.cancel(order.id).await.ok(), Some(order.clone()));

    assert_eq!(ledger.find(order.id), None);
    assert_eq!(dispatched.events::<OrderCancelled>()?, [OrderCancelled { order_id: order.id }]);
    assert!(matches!(orders.cancel(order.id).await, Err(OrderError::Unknown(_))));
    Ok(())
}
