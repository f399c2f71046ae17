use kinoko::prelude::*;

#[contract(name = "inventory")]
trait Inventory {
    async fn size(&self) -> u32;
    async fn clear(&self);
    async fn sort(&self, by: String);
}

#[derive(Dependencies)]
struct Warehouse;

#[service(contract = Inventory)]
impl Warehouse {
    #[rpc]
    async fn size(&self) -> u32 {
        3
    }
}

fn main() {}
