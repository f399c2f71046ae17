use kinoko::prelude::*;

#[derive(serde::Serialize)]
struct HeaderMap;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn by_value(&self, headers: HeaderMap) {
        let _ = headers;
    }

    #[rpc]
    async fn by_slice(&self, id: u64, headers: &[HeaderMap]) -> u64 {
        let _ = headers;
        id
    }
}

fn main() {}
