//! The shop: all its services in one process.

pub mod demo;

use inventory_service::InventoryService;
use kinoko::App;
use orders_service::OrdersService;
use payments_service::PaymentsService;

/// Every service of the shop.
pub fn app() -> App {
    App::new().service::<InventoryService>().service::<OrdersService>().service::<PaymentsService>()
}
