use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service]
impl Orders {
    #[rpc]
    fn a(&self) {}
}

#[derive(Dependencies)]
struct Dotted;

#[service(name = "shop.orders")]
impl Dotted {
    #[rpc]
    fn a(&self) {}
}

#[derive(Dependencies)]
struct Spaced;

#[service(name = "the orders")]
impl Spaced {
    #[rpc]
    fn a(&self) {}
}

#[derive(Dependencies)]
struct Empty;

#[service(name = "")]
impl Empty {
    #[rpc]
    fn a(&self) {}
}

#[derive(Dependencies)]
struct Slashed;

#[service(name = "shop/orders")]
impl Slashed {
    #[rpc]
    fn a(&self) {}
}

#[derive(Dependencies)]
struct Long;

#[service(name = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz")]
impl Long {
    #[rpc]
    fn a(&self) {}
}

#[derive(Dependencies)]
struct Bare;

#[service("orders")]
impl Bare {
    #[rpc]
    fn a(&self) {}
}

#[contract(name = "inventory")]
trait Inventory {
    fn a(&self);
}

#[derive(Dependencies)]
struct Both;

#[service(name = "orders", contract = Inventory)]
impl Both {}

#[derive(Dependencies)]
struct Turned;

#[service(contract = Inventory, name = "orders")]
impl Turned {}

fn main() {}
