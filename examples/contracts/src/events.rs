use kinoko::event;
use serde::{Deserialize, Serialize};

/// An order is no more: whoever holds something for it gives it back.
///
/// Required: an event that nobody takes would leave articles put aside for ever, so a dispatch of it fails then.
#[event(source = "orders", required)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// Its number.
    pub order_id: u64,
}
