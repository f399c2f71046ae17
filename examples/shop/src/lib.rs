//! The shop: all its services in one process.

pub mod demo;

use gateway::Gateway;
use inventory_service::InventoryService;
use kinoko::App;
use orders_service::OrdersService;
use payments_service::PaymentsService;

/// Every service of the shop. The payments ask this gateway, unless a setting names another one.
pub fn app(gateway: &Gateway) -> App {
    let shop = App::new().service::<InventoryService>().service::<OrdersService>().service::<PaymentsService>();
    shop.default_setting("payments.gateway", gateway.url())
}
