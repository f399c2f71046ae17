#![allow(unused)]

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Empty;

#[service(name = "empty")]
impl Empty {
    #[rpc]
    fn none(&self, #[default] id: u64) {}

    #[rpc]
    fn two(&self, #[default(1, 2)] id: u64) {}

    #[rpc]
    fn twice(&self, #[default(1)] #[default(2)] id: u64) {}
}

#[derive(Dependencies)]
struct Limited;

#[service(name = "limited")]
impl Limited {
    #[rpc]
    fn of_the_service(&self, #[default(self.limit())] id: u64) {}
}

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    fn wrong(&self, #[default("ten")] limit: u64) -> u64 {
        limit
    }
}

fn main() {}
