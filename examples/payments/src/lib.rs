//! The shop's payments. The bank behind them is a stub that declines what costs too much; the books are real.

mod service;

pub use service::PaymentsService;
