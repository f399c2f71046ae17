//! Where `#[guard]` and `#[public]` stand.

use kinoko::{auth::Jwt, prelude::*};

#[derive(Dependencies)]
struct Desk {
    jwt: Jwt,
}

#[service(name = "desk")]
impl Desk {
    #[guard]
    fn nothing_fires_it(&self) {}

    #[timer(every = "1s")]
    #[guard(role = "admin")]
    fn of_the_clock(&self) {}

    #[timer(every = "2s")]
    #[public]
    fn of_the_clock_too(&self) {}

    #[event_handler("orders", "placed", batch = 10)]
    #[guard]
    fn batch(&self, _orders: Vec<u32>) {}
}

#[contract(name = "stock")]
trait Stock {
    #[guard]
    async fn left(&self) -> u32;
}

#[derive(Dependencies)]
struct Block {
    jwt: Jwt,
}

#[guard]
#[service(name = "block")]
impl Block {
    #[rpc]
    fn call(&self) {}
}

#[derive(Dependencies)]
struct Batches {
    jwt: Jwt,
}

#[service(name = "batches")]
#[guard]
impl Batches {
    #[event_handler("orders", "placed", batch = 10)]
    fn batch(&self, _orders: Vec<u32>) {}
}

#[public]
fn stray() {}

fn main() {}
