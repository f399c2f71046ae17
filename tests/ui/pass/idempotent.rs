//! Calls and messages that are done once, in one database or two.

use kinoko::{
    prelude::*,
    sql::{Database, Postgres, Tx},
};

#[derive(Dependencies)]
struct Payments {
    db: Database,
    ledger: Database<Postgres>,
}

type Ledger = Database<Postgres>;

#[service(name = "payments")]
impl Payments {
    #[rpc(idempotent)]
    fn plain(&self, cents: u32) -> u32 {
        let _ = (&self.db, &self.ledger);
        cents
    }

    #[rpc(idempotent(store = Database<Postgres>, window = "1h", required), timeout = "5s")]
    async fn typed(&self, #[inject] tx: Tx<Postgres>, text: &str, words: &[String]) -> Result<usize, kinoko::Error> {
        drop(tx);
        Ok(text.len() + words.len())
    }

    #[rpc(idempotent(store = Ledger))]
    #[event_handler("orders", "paid", idempotent(store = kinoko::sql::Database<kinoko::sql::Postgres>))]
    #[consume("paid", idempotent, ordered_by = "order", retry(in_place, max = 2))]
    async fn several(&self, order: u64) {
        let _ = order;
    }

    #[cfg(any())]
    #[rpc(idempotent(store = NoSuchType))]
    fn left_out(&self) {}
}

fn main() {}
