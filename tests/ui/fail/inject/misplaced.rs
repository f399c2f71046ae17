use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn place(&self, #[inject(cached)] cx: WorkerContext, #[inject] #[default(3)] other: WorkerContext) {
        let _ = (cx, other);
    }

    fn helper(&self, #[inject] cx: WorkerContext, #[default(3)] limit: u32) {
        let _ = (cx, limit);
    }
}

#[contract(name = "inventory")]
trait Inventory {
    async fn reserve(&self, #[inject] cx: WorkerContext, id: u64);
}

fn main() {}
