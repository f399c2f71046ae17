//! A method that the file does not have.

use kinoko::prelude::*;
use kinoko_tests::protos::stock::{Item, Level, Stock};

#[derive(Dependencies)]
struct Misspelt;

#[service(name = "misspelt")]
impl Misspelt {
    #[grpc(Stock::chek)]
    fn check(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 0 }
    }
}

fn main() {}
