use kinoko::prelude::*;

#[derive(Dependencies)]
enum Choice {
    Orders,
}

#[derive(Dependencies)]
union Either {
    left: u8,
    right: u8,
}

#[derive(Dependencies)]
struct Generic<T> {
    field: Config<T>,
}

#[derive(Dependencies)]
#[dependency(timeout = "2s")]
struct OnTheType;

fn main() {}
