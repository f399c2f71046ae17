use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    unsafe fn promised(&self) {}

    #[rpc]
    extern "C" fn foreign(&self) {}

    #[rpc]
    const fn fixed(&self) {}
}

fn main() {}
