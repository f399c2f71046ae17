use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("inner")]
    #[fault(forward)]
    Inner(String),
}

fn main() {}
