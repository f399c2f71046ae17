use kinoko::prelude::*;

#[derive(serde::Deserialize)]
struct NewOrder;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn place(&self, order: NewOrder) {
        let _ = order;
    }
}

fn main() {}
