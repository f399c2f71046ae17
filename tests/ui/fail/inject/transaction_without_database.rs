use kinoko::{prelude::*, sql::Tx};

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn place(&self, #[inject] tx: Tx, id: u64) -> u64 {
        let _ = tx;
        id
    }
}

fn main() {}
