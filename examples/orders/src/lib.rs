//! The shop's orders: places them, with the help of the inventory and the payments, or leaves nothing of them.

mod ledger;
mod place_order;
mod prices;
mod service;

pub use ledger::tables;
pub use place_order::{NewOrder, PlaceOrder, Placed};
pub use prices::Prices;
pub use service::OrdersService;
