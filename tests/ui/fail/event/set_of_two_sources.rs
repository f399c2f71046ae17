use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed;

#[event(source = "payments")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Captured;

type AlsoPlaced = Placed;

#[derive(EventSet)]
enum TwoSources {
    Placed(Placed),
    Captured(Captured),
}

#[derive(EventSet)]
enum Twice {
    Placed(Placed),
    Again(AlsoPlaced),
}

fn main() {}
