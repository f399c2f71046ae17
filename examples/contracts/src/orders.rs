use kinoko::{event::DispatchError, prelude::*};
use serde::{Deserialize, Serialize};

use crate::{InventoryError, Line};

/// Takes orders.
#[contract(name = "orders")]
pub trait Orders {
    /// Places an order: its articles are put aside, or it is refused.
    async fn place(&self, customer: String, lines: Vec<Line>) -> Result<Order, OrderError>;

    /// Cancels an order; what was put aside for it is given back in a moment.
    async fn cancel(&self, order_id: u64) -> Result<Order, OrderError>;

    /// An order by its number.
    async fn get(&self, order_id: u64) -> Result<Order, OrderError>;
}

/// An order as customers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub id: u64,
    /// Who ordered.
    pub customer: String,
    /// What.
    pub lines: Vec<Line>,
}

/// Why an order was refused.
#[derive(Debug, thiserror::Error, ServiceError)]
pub enum OrderError {
    /// Nothing was ordered.
    #[error("an order needs at least one line")]
    #[fault(code = "EMPTY_ORDER", http = 422, retry = false)]
    Empty,
    /// More lines than the shop takes.
    #[error("an order has at most {limit} lines, this one has {lines}")]
    #[fault(code = "TOO_MANY_LINES", http = 422, retry = false)]
    TooManyLines {
        /// How many it has.
        lines: usize,
        /// How many it may have.
        limit: usize,
    },
    /// No such order.
    #[error("no order {0}")]
    #[fault(code = "UNKNOWN_ORDER", http = 404, grpc = "NOT_FOUND")]
    Unknown(u64),
    /// Nobody could be told of it.
    #[error(transparent)]
    #[fault(internal)]
    Untold(#[from] DispatchError),
    /// The inventory refused, or did not answer: its own error passes on to the caller.
    #[error(transparent)]
    #[fault(forward)]
    Inventory(#[from] CallError<InventoryError>),
}
