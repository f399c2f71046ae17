//! What is done once is remembered in a database.

use kinoko::prelude::*;
use kinoko::sql::{Database, Postgres};

#[derive(Dependencies)]
struct Payments;

#[service(name = "payments")]
impl Payments {
    #[rpc(idempotent)]
    fn charge(&self, cents: u32) -> u32 {
        cents
    }
}

#[derive(Dependencies)]
struct Refunds {
    db: Database,
}

#[service(name = "refunds")]
impl Refunds {
    #[event_handler("orders", "cancelled", idempotent(store = Database<Postgres>))]
    fn on_cancelled(&self, order: u32) {
        let _ = (order, &self.db);
    }
}

fn main() {}
