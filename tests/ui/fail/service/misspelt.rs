use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rcp]
    fn count(&self) -> u32 {
        3
    }

    #[rpc]
    fn list(&self, #[injct] _cx: WorkerContext, #[defualt(20)] limit: u32) -> u32 {
        limit
    }

    #[rpc]
    fn login(&self, user: String, #[sensitive] password: String) -> bool {
        user == password
    }
}

fn main() {}
