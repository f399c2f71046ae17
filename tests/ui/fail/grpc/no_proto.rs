//! A type that no `.proto` file was.

use kinoko::prelude::*;
use kinoko_tests::protos::stock::{Item, Level};

struct Stock;

#[derive(Dependencies)]
struct Warehouse {
    stock: kinoko::grpc::GrpcClient<Stock>,
}

#[service(name = "warehouse")]
impl Warehouse {
    #[rpc]
    fn check(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }
}

fn main() {}
