use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("sold out")]
    SoldOut,
}

#[contract(name = "stock")]
trait Stock {
    async fn reserve(&self, order: u64) -> Result<u32, StockError>;
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum OrderError {
    #[error("an order needs at least one line")]
    Empty,
}

#[derive(Dependencies)]
struct Orders {
    stock: StockClient,
}

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn place(&self, order: u64) -> Result<u32, OrderError> {
        Ok(self.stock.reserve(order).await?)
    }
}

fn main() {}
