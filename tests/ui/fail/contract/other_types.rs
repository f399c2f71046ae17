use kinoko::prelude::*;

#[contract(name = "inventory")]
trait Inventory {
    async fn size(&self) -> u32;
    async fn reserve(&self, order: u64, skus: Vec<String>) -> kinoko::Result<u64>;
    async fn clear(&self);
}

#[derive(Dependencies)]
struct Warehouse;

#[service(contract = Inventory)]
impl Warehouse {
    #[rpc]
    async fn size(&self) -> u64 {
        3
    }

    #[rpc]
    async fn reserve(&self, order: u32, skus: Vec<String>) -> kinoko::Result<u64> {
        let _ = skus;
        Ok(order.into())
    }

    #[rpc]
    async fn clear(&self, all: bool) {
        let _ = all;
    }

    #[rpc]
    async fn extra(&self) {}
}

fn main() {}
