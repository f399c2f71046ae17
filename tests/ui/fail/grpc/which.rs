//! Which method of which service.

use kinoko::prelude::*;
use kinoko_tests::protos::stock::{Item, Level, Stock};

#[derive(Dependencies)]
struct Nameless;

#[service(name = "nameless")]
impl Nameless {
    #[grpc]
    fn check(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }

    #[grpc("Stock/Check")]
    fn again(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }

    #[grpc(Stock)]
    fn service(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }

    #[grpc(Stock::check, timeot = "1s")]
    fn late(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }
}

#[derive(Dependencies)]
struct Twice;

#[service(name = "twice")]
impl Twice {
    #[grpc(Stock::check)]
    fn one(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }

    #[grpc(Stock::check)]
    fn two(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }
}

fn main() {}
