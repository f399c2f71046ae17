use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    fn place(&self) {}

    #[rpc(name = "place")]
    fn place_again(&self) {}

    #[rpc]
    fn from_service(&self) {}
}

fn main() {}
