use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    fn place(&self) {}
}

fn main() {
    Orders.place();
}
