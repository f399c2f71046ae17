use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

impl Orders {
    fn count(&self) -> u32 {
        3
    }
}

fn main() {
    let _ = App::new().service::<Orders>();
}
