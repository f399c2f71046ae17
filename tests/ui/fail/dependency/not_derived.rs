use kinoko::prelude::*;

struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    fn count(&self) -> u32 {
        3
    }
}

fn main() {}
