//! Other types than those of the file.

use kinoko::prelude::*;
use kinoko_tests::protos::stock::{Delivery, Item, Level, Stock};

#[derive(Dependencies)]
struct Taking;

#[service(name = "taking")]
impl Taking {
    #[grpc(Stock::check)]
    fn check(&self, request: Delivery) -> Level {
        Level { sku: request.sku, left: 0 }
    }
}

#[derive(Dependencies)]
struct Giving;

#[service(name = "giving")]
impl Giving {
    #[grpc(Stock::check)]
    fn check(&self, request: Item) -> Item {
        request
    }
}

#[derive(Dependencies)]
struct Streams;

#[service(name = "streams")]
impl Streams {
    #[grpc(Stock::watch)]
    fn watch(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }
}

fn main() {}
