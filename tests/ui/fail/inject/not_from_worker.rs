use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn place(&self, #[inject] id: u64) -> u64 {
        id
    }
}

fn main() {}
