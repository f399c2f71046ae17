use kinoko::{Fault, prelude::*};

#[derive(Clone)]
struct Database;

impl Dependency for Database {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self)
    }
}

struct Tx;

impl<S: Has<Database> + Sync> FromWorker<S> for Tx {
    async fn from_worker(_: &S, _: &WorkerContext) -> Result<Self, Fault> {
        Ok(Self)
    }
}

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn place(&self, #[inject] tx: Tx, id: u64) -> u64 {
        let _ = tx;
        id
    }
}

fn main() {}
