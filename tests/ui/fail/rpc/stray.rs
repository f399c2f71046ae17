use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

impl Orders {
    #[rpc]
    fn place(&self) {}
}

#[kinoko::rpc]
fn free() {}

fn main() {}
