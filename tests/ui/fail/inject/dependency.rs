use kinoko::prelude::*;

#[contract(name = "stock")]
trait Stock {
    async fn left(&self) -> u32;
}

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn place(&self, #[inject] stock: StockClient) -> kinoko::Result<u32> {
        Ok(stock.left().await?)
    }
}

fn main() {}
