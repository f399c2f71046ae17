use kinoko::prelude::*;

struct Pool;

#[derive(Dependencies)]
struct Orders {
    max_lines: usize,
    pool: Pool,
}

fn main() {}
