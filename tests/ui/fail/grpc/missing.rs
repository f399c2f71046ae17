//! A service that claims to serve all of a `.proto` file's service.

use kinoko::{grpc::Streaming, prelude::*};
use kinoko_tests::protos::stock::{Delivery, Item, Level, Stock};

#[derive(Dependencies)]
struct Warehouse;

#[service(name = "warehouse", grpc = Stock)]
impl Warehouse {
    #[grpc]
    fn check(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }

    #[grpc]
    fn deliver(&self, _deliveries: Streaming<Delivery>) -> Level {
        Level::default()
    }
}

fn main() {}
