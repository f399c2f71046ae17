//! The shop's orders: places them, with the inventory's help.

mod ledger;
mod service;

pub use ledger::Ledger;
pub use service::OrdersService;
