use kinoko::prelude::*;

struct Generic<T>(T);

#[service(name = "generic")]
impl<T> Generic<T> {
    #[rpc]
    fn a(&self) {}
}

#[service(name = "concrete")]
impl Generic<u8> {
    #[rpc]
    fn b(&self) {}
}

trait Places {
    fn place(&self);
}

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Places for Orders {
    #[rpc]
    fn place(&self) {}
}

#[service(name = "structs")]
#[derive(Dependencies)]
struct Structs;

#[service(name = "tuple")]
impl (u8, u8) {
    #[rpc]
    fn place(&self) {}
}

fn main() {}
