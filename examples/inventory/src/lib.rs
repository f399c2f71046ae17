//! The shop's inventory: what is in stock, and for whom it is put aside.

mod service;
mod stock;

pub use service::InventoryService;
pub use stock::Stock;
