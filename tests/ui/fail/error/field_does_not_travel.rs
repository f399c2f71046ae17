use kinoko::prelude::*;

#[derive(Debug)]
struct Sku;

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("the disk")]
    Disk(#[from] std::io::Error),
    #[error("none left")]
    OutOfStock { sku: Sku, left: u32 },
}

fn main() {}
