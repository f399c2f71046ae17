use kinoko::prelude::*;

#[contract(name = "inventory")]
trait Inventory {
    async fn size(&self) -> u32;
}

#[derive(Dependencies)]
struct Unreadable {
    #[dependency(timeout = "2 parsecs")]
    a: InventoryClient,
    #[dependency(timeout = "5")]
    b: InventoryClient,
    #[dependency(timeout)]
    c: InventoryClient,
    #[dependency("2s")]
    d: InventoryClient,
    #[dependency(timeout = "2s", timeout = "3s")]
    e: InventoryClient,
    #[dependency(no_inject = true)]
    f: InventoryClient,
    #[dependency = "2s"]
    g: InventoryClient,
    #[dependency(timeout = "2s")]
    #[dependency(timeout = "3s")]
    again: InventoryClient,
    #[dependency(timeout = "")]
    h: InventoryClient,
}

#[derive(Dependencies)]
struct OfTheWrongType {
    #[dependency(timeuot = "2s")]
    a: InventoryClient,
    #[dependency(timeout = 2)]
    b: InventoryClient,
}

fn main() {}
