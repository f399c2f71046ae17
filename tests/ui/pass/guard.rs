//! Guards in every place where they may stand.

use kinoko::{
    auth::{Claims, Identity, Jwt},
    prelude::*,
};

#[derive(serde::Deserialize)]
struct Shopper {
    sub: String,
}

#[derive(Dependencies)]
struct Desk {
    jwt: Jwt,
}

#[service(name = "desk", http = "/desk")]
#[kinoko::guard(role = "clerk")]
impl Desk {
    #[rpc]
    fn of_the_block(&self) {}

    #[rpc]
    #[http(GET, "/several")]
    #[websocket]
    #[kinoko::public]
    fn several(&self, #[inject] who: Option<Identity>) -> bool {
        who.is_some()
    }

    #[rpc]
    #[guard(role("a", "b"), scope("c", "d"))]
    #[guard(role = "e")]
    async fn stacked(&self, #[inject] claims: Claims<Shopper>) -> String {
        claims.sub.clone()
    }

    #[cfg(any())]
    #[rpc]
    #[guard]
    fn absent(&self) {}

    #[event_handler("orders", "placed")]
    #[guard]
    fn on_placed(&self) {}

    #[event_handler("orders", "batched", batch = 10)]
    #[public]
    fn on_batch(&self, _orders: Vec<u32>) {}

    #[consume("letters")]
    #[guard]
    fn on_letter(&self) {}

    #[timer(every = "1s")]
    fn tick(&self) {
        let _ = &self.jwt;
    }
}

#[contract(name = "stock")]
trait Stock {
    async fn left(&self) -> u32;
}

#[derive(Dependencies)]
struct Warehouse {
    #[allow(dead_code)]
    jwt: Jwt,
}

impl Stock for Warehouse {
    async fn left(&self) -> u32 {
        1
    }
}

#[service(contract = Stock)]
#[guard]
impl Warehouse {
    #[event_handler("orders", "placed")]
    #[public]
    fn on_placed(&self) {}
}

fn main() {}
