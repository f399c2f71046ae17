use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("none left")]
    OutOfStock,
    #[error("too few")]
    #[fault(code = "OUT_OF_STOCK")]
    TooFew,
}

fn main() {}
