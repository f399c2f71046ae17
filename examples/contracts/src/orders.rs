use kinoko::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{InventoryError, Line, PaymentError};

/// Takes orders.
#[contract(name = "orders")]
pub trait Orders {
    /// Places an order: its articles are put aside and paid, or it is refused and nothing of it is left.
    ///
    /// Whoever got no answer asks again under the same idempotency key, and hears of the same order.
    async fn place(&self, customer: String, lines: Vec<Line>) -> Result<Order, OrderError>;

    /// Cancels an order; what was put aside for it is given back in a moment.
    async fn cancel(&self, order_id: u64) -> Result<Order, OrderError>;

    /// An order by its number.
    async fn get(&self, order_id: u64) -> Result<Order, OrderError>;

    /// What happened on the way to an order, or to its refusal, oldest first: by the idempotency key that it was placed under.
    async fn history(&self, key: String) -> Result<Vec<Happening>, OrderError>;
}

/// One thing that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What, in words.
    pub what: String,
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
    /// Nothing was ordered under this key.
    #[error("nothing was ordered under `{0}`")]
    #[fault(code = "UNKNOWN_KEY", http = 404, grpc = "NOT_FOUND")]
    UnknownKey(String),
    /// The inventory refused, or did not answer: its own error passes on to the caller.
    #[error(transparent)]
    #[fault(forward)]
    Inventory(#[from] CallError<InventoryError>),
    /// The payments refused, or did not answer.
    #[error(transparent)]
    #[fault(forward)]
    Payment(#[from] CallError<PaymentError>),
    /// Something that is nobody's to know but those who run the shop.
    #[error("{0}")]
    #[fault(internal)]
    Unexpected(kinoko::Error),
}

impl From<kinoko::Error> for OrderError {
    fn from(error: kinoko::Error) -> Self {
        Self::Unexpected(error)
    }
}
