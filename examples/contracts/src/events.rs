use kinoko::event;
use serde::{Deserialize, Serialize};

use crate::Order;

/// An order was placed: its articles are put aside, and paid, or their payment is pending.
#[event(source = "orders")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order.
    pub order: Order,
}

/// An order is no more: whoever holds something for it gives it back.
///
/// Required: an event that nobody takes would leave articles put aside for ever, so a dispatch of it fails then.
#[event(source = "orders", required)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// Its number.
    pub order_id: u64,
}

/// A payment that was pending is charged.
#[event(source = "payments")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentSettled {
    /// For which order.
    pub order_id: u64,
    /// How much.
    pub cents: u64,
}

/// A payment that was pending is declined: nobody pays for the order.
///
/// Required: articles that nobody pays for would leave the house otherwise.
#[event(source = "payments", required)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentDeclined {
    /// For which order.
    pub order_id: u64,
    /// How much was asked for.
    pub cents: u64,
}
