use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(naem = "orders", wire = "http", max_workers = "many", client = "no", contract = "Inventory", crate = "kinoko")]
impl Orders {
    #[rpc]
    fn a(&self) {}
}

fn main() {}
