use kinoko::prelude::*;

struct Orders;

impl Orders {
    #[http(GET, "/orders")]
    fn list(&self) {}
}

fn main() {}
