#![allow(unused_variables)]

use kinoko::prelude::*;

struct Opaque;

#[derive(Debug)]
struct Unknown;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[http(GET, "/answer")]
    fn answer(&self) -> Opaque {
        Opaque
    }

    #[http(GET, "/error")]
    fn error(&self) -> Result<u32, Unknown> {
        Err(Unknown)
    }

    #[http(GET, "/parameter")]
    fn parameter(&self, filter: Opaque) {}

    #[http(GET, "/extractor")]
    fn extractor(&self, #[extract] opaque: Opaque) {}
}

fn main() {}
