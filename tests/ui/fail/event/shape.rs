use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Generic<T> {
    value: T,
}

#[event(source = "orders")]
fn order_placed() {}

fn main() {}
