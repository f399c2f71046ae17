use kinoko::prelude::*;

struct Placed;

#[derive(EventSet)]
enum OrderEvent {
    Placed(Placed),
}

fn main() {}
