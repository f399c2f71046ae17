use kinoko::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Line, Sku};

/// Knows what is in stock, and for whom it is put aside.
#[contract(name = "inventory")]
pub trait Inventory {
    /// Puts all lines aside for an order, or none of them.
    async fn reserve(&self, order_id: u64, lines: Vec<Line>) -> Result<Reservation, InventoryError>;

    /// Gives what was put aside for an order back. Doing it twice changes nothing; nothing is put aside for it any more.
    async fn release(&self, order_id: u64) -> Result<(), InventoryError>;

    /// How many of an article can still be sold.
    async fn available(&self, sku: Sku) -> Result<u32, InventoryError>;
}

/// What was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// For which order.
    pub order_id: u64,
    /// What.
    pub lines: Vec<Line>,
}

/// Why nothing was put aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, ServiceError)]
pub enum InventoryError {
    /// Less is there than was asked for.
    #[error("only {left} of {sku} left")]
    #[fault(code = "OUT_OF_STOCK", http = 409, grpc = "FAILED_PRECONDITION", retry = false)]
    OutOfStock {
        /// The article.
        sku: Sku,
        /// How many are left.
        left: u32,
    },
    /// The shop does not sell it.
    #[error("no article {0}")]
    #[fault(http = 404, grpc = "NOT_FOUND")]
    UnknownSku(Sku),
    /// What was put aside for the order was given back before.
    #[error("order {0} is off")]
    #[fault(code = "ORDER_OFF", http = 409, grpc = "FAILED_PRECONDITION", retry = false)]
    Off(u64),
}
