#![deny(unused_must_use)]

use kinoko::prelude::*;

#[contract(name = "inventory")]
trait Inventory {
    async fn reserve(&self, order: u64) -> u32;
}

async fn nothing_is_sent(inventory: InventoryClient) {
    inventory.reserve(1);
}

fn main() {}
