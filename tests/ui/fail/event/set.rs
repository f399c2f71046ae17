use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed;

#[derive(EventSet)]
struct NoEnum(Placed);

#[derive(EventSet)]
enum Shapes {
    Unit,
    Two(Placed, Placed),
    Placed(Placed),
    Again(Placed),
}

#[derive(EventSet)]
enum Empty {}

fn main() {}
