#![allow(unused)]

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    fn place<T: serde::Serialize>(&self, order: T) {}

    #[rpc]
    fn sized<const N: usize>(&self, bytes: [u8; N]) {}

    #[rpc]
    fn named<'a>(&self, name: &'a str) -> &'a str {
        name
    }

    #[rpc]
    fn bounded(&self, id: u64)
    where
        u64: Copy,
    {
    }
}

fn main() {}
