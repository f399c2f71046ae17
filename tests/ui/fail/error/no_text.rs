use kinoko::prelude::*;

#[derive(Debug, ServiceError)]
enum StockError {
    OutOfStock,
}

fn main() {}
