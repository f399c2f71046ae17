use contracts::{Inventory, InventoryError, Line, OrderCancelled, Reservation, Sku};
use kinoko::prelude::*;

use crate::Stock;

/// Serves the contract `inventory`.
#[derive(Debug, Dependencies)]
pub struct InventoryService {
    stock: Stock,
}

impl InventoryService {
    /// The service over this stock: a unit test needs no more.
    pub fn new(stock: Stock) -> Self {
        Self { stock }
    }
}

// A contract is served by implementing its trait…
impl Inventory for InventoryService {
    async fn reserve(&self, order_id: u64, lines: Vec<Line>) -> Result<Reservation, InventoryError> {
        self.stock.reserve(order_id, lines)
    }

    async fn release(&self, order_id: u64) -> Result<(), InventoryError> {
        self.stock.release(order_id);
        Ok(())
    }

    async fn available(&self, sku: Sku) -> Result<u32, InventoryError> {
        self.stock.available(&sku).ok_or(InventoryError::UnknownSku(sku))
    }
}

// …and naming it here. Where methods need `#[inject]`, they stand in this block instead: see the orders service.
#[service(contract = Inventory)]
impl InventoryService {
    /// What was put aside for a cancelled order can be sold again. May come twice, and changes nothing then.
    #[event_handler(OrderCancelled)]
    pub fn give_back(&self, event: OrderCancelled) {
        self.stock.release(event.order_id);
    }
}
