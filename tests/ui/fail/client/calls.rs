use kinoko::prelude::*;

#[contract(name = "inventory")]
trait Inventory {
    async fn reserve(&self, order: u64, skus: Vec<String>) -> u32;
}

async fn wrong(inventory: InventoryClient) {
    let _ = inventory.resrve(1, vec![]).await;
    let _ = inventory.reserve("one", vec![]).await;
    let _ = inventory.reserve(1).await;
}

fn main() {}
