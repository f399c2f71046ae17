//! What `idempotent` takes, and what it does not go with.

use kinoko::prelude::*;

#[contract(name = "prices")]
trait Prices {
    #[rpc(idempotent)]
    fn price(&self) -> u32;
}

#[derive(Dependencies)]
struct Orders {
    db: kinoko::sql::Database,
}

#[service(name = "orders")]
impl Orders {
    #[rpc(idempotent = true)]
    fn equals(&self) {}

    #[rpc(idempotent(store = "process"))]
    fn process(&self) {}

    #[rpc(idempotent(store = "redis"))]
    fn elsewhere(&self) {}

    #[rpc(idempotent(window = "0s", require))]
    fn window(&self) {}

    #[rpc(idempotent(required = true))]
    fn required(&self) {}

    #[websocket(idempotent)]
    fn socket(&self) {}

    #[event_handler("users", "created", idempotent, batch = 10)]
    fn batch(&self, users: Vec<u32>) {
        let _ = users;
    }

    #[event_handler("users", "created", idempotent(window = "1h"), kind = "broadcast")]
    fn broadcast(&self) {}

    #[consume("letters", idempotent(store = "process", required))]
    fn consume(&self) {}
}

fn main() {}
