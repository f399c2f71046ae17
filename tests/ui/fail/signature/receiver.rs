#![allow(unused)]

use std::sync::Arc;

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    fn exclusive(&mut self) {}

    #[rpc]
    fn owned(self) {}

    #[rpc]
    fn shared(self: Arc<Self>) {}

    #[rpc]
    fn none(id: u64) {}

    #[rpc]
    fn nothing() {}

    #[rpc]
    fn lifetime(&'static self) {}
}

fn main() {}
