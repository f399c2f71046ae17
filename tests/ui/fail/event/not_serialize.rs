use kinoko::prelude::*;

#[event(source = "orders")]
struct OrderPlaced {
    id: u64,
}

fn main() {}
