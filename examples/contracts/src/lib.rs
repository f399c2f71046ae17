//! What the shop's services agree on: contracts, events, the types that travel, the errors that come back.
//!
//! Services and their callers depend on this crate and not on each other.

mod events;
mod inventory;
mod orders;
mod payments;
mod types;

pub use events::{OrderCancelled, OrderPlaced, PaymentDeclined, PaymentSettled};
pub use inventory::{Inventory, InventoryClient, InventoryError, Reservation};
pub use orders::{Happening, Order, OrderError, Orders, OrdersClient};
pub use payments::{Payment, PaymentError, PaymentState, Payments, PaymentsClient};
pub use types::{Line, Sku};
