//! What a method looks like that a gRPC call fires.

use futures_util::{Stream, stream};
use kinoko::prelude::*;
use kinoko_tests::protos::stock::{Item, Level, Stock};

#[derive(Dependencies)]
struct Shapes;

#[service(name = "shapes")]
impl Shapes {
    #[grpc(Stock::check)]
    fn two(&self, sku: String, amount: u32) -> Level {
        Level { sku, left: amount }
    }

    #[grpc(Stock::watch)]
    fn borrows(&self, _request: Item) -> impl Stream<Item = kinoko::Result<Level>> + Send {
        stream::empty()
    }
}

fn main() {}
