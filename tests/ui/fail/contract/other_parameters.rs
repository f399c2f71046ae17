use kinoko::prelude::*;

#[contract(name = "inventory")]
trait Inventory {
    async fn reserve(&self, order: u64, count: u64);
    async fn list(&self, #[default(10)] limit: u64);
    #[rpc(sensitive(password))]
    async fn login(&self, password: String);
}

#[derive(Dependencies)]
struct Warehouse;

#[service(contract = Inventory)]
impl Warehouse {
    #[rpc]
    async fn reserve(&self, count: u64, order: u64) {
        let _ = (count, order);
    }

    #[rpc]
    async fn list(&self, limit: u64) {
        let _ = limit;
    }

    #[rpc]
    async fn login(&self, password: String) {
        let _ = password;
    }
}

#[derive(Dependencies)]
struct Renamed;

#[service(contract = Inventory)]
impl Renamed {
    #[rpc(name = "put_aside")]
    async fn reserve(&self, order: u64, count: u64) {
        let _ = (count, order);
    }
}

fn main() {}
