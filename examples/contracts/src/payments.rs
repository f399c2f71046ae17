use kinoko::prelude::*;
use serde::{Deserialize, Serialize};

/// Takes money, and gives it back.
#[contract(name = "payments")]
pub trait Payments {
    /// Charges an order's customer. Doing it twice charges once.
    ///
    /// Where the bank cannot be asked the payment is pending: it will be charged or declined, and an event tells.
    async fn charge(&self, order_id: u64, cents: u64) -> Result<Payment, PaymentError>;

    /// Gives back what was charged for an order, if anything was, as soon as the bank can be asked; it cannot be charged any more.
    async fn refund(&self, order_id: u64) -> kinoko::Result<()>;

    /// How the payment for an order stands.
    async fn get(&self, order_id: u64) -> Result<Payment, PaymentError>;
}

/// A payment that was not refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// For which order.
    pub order_id: u64,
    /// How much.
    pub cents: u64,
    /// Whether the money is there.
    pub state: PaymentState,
}

/// Whether the money is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// It is.
    Charged,
    /// Nobody knows yet: [`PaymentSettled`](crate::PaymentSettled) or [`PaymentDeclined`](crate::PaymentDeclined) will tell.
    Pending,
}

/// Why nothing was charged.
#[derive(Debug, thiserror::Error, ServiceError)]
pub enum PaymentError {
    /// The bank says no.
    #[error("the bank declined {cents} cents")]
    #[fault(code = "CARD_DECLINED", http = 402, grpc = "FAILED_PRECONDITION", retry = false)]
    Declined {
        /// How much it was asked for.
        cents: u64,
    },
    /// The order is off: its money was given back, or the charge came too late.
    #[error("order {0} was refunded")]
    #[fault(code = "REFUNDED", http = 409, grpc = "FAILED_PRECONDITION", retry = false)]
    Refunded(u64),
    /// Nobody ever asked to charge for this order.
    #[error("order {0} was never charged")]
    #[fault(code = "UNKNOWN_PAYMENT", http = 404, grpc = "NOT_FOUND")]
    Unknown(u64),
    /// The books could not be read or written.
    #[error("{0}")]
    #[fault(internal)]
    Books(kinoko::Error),
}

impl From<kinoko::Error> for PaymentError {
    fn from(error: kinoko::Error) -> Self {
        Self::Books(error)
    }
}
