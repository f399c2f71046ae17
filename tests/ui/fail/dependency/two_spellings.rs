use kinoko::prelude::*;

type Limit = Config<usize>;

#[derive(Dependencies)]
struct Orders {
    #[dependency(key = "orders.lines")]
    lines: Config<usize>,
    #[dependency(key = "orders.size")]
    size: Limit,
}

fn main() {}
