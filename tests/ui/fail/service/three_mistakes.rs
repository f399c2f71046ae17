//! Three mistakes are three errors: who calls the right methods, or builds an app of the service, hears nothing.
#![allow(unused)]
use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders", max_wokers = 3)]
impl Orders {
    #[rpc]
    fn place(&mut self, id: u64) {}

    #[rpc(timeout = "2 parsecs")]
    fn late(&self) {}

    #[rpc]
    async fn count(&self, #[inject] cx: WorkerContext, #[default(3)] limit: u32) -> u32 {
        let _ = cx;
        limit
    }
}

async fn others(client: &OrdersClient) -> u32 {
    let _ = kinoko::App::new().service::<Orders>();
    let _ = OrdersClient::from_service(Orders);
    client.count(3).await.unwrap()
}

fn main() {}
