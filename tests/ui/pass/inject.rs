//! What a worker provides, what a field provides, and two fields of one type.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]

use kinoko::{Fault, prelude::*};

#[derive(Debug, Clone)]
struct Database(&'static str);

#[derive(Default)]
struct DatabaseOptions {
    name: &'static str,
    timeout: Option<std::time::Duration>,
}

impl Dependency for Database {
    type Options = DatabaseOptions;
    async fn setup(_: &SetupContext, options: DatabaseOptions) -> kinoko::Result<Self> {
        assert_ne!(options.timeout, Some(std::time::Duration::ZERO));
        Ok(Self(options.name))
    }
}

type SameDatabase = Database;

struct Tx(&'static str);

impl<S: Has<Database> + Sync> FromWorker<S> for Tx {
    async fn from_worker(service: &S, _: &WorkerContext) -> Result<Self, Fault> {
        Ok(Self(service.get().0))
    }
}

#[derive(Dependencies)]
struct Ledger {
    #[dependency(name = "main", timeout = "150ms")]
    main: Database,
    #[dependency(name = "replica")]
    replica: Database,
    #[dependency(name = "archive", no_inject)]
    archive: SameDatabase,
}

#[service(name = "ledger")]
impl Ledger {
    #[rpc]
    async fn names(&self, #[inject] tx: Tx, suffix: String, #[inject] cx: WorkerContext) -> String {
        format!("{} {} {} {} {}{suffix}", tx.0, self.main.0, self.replica.0, self.archive.0, cx.entrypoint())
    }
}

#[derive(Dependencies)]
struct Pair(#[dependency(name = "left")] Database, #[dependency(name = "right")] Database);

#[service(name = "pair")]
impl Pair {
    #[rpc]
    fn both(&self, #[kinoko::inject] tx: Tx) -> String {
        format!("{} {} {}", self.0.0, self.1.0, tx.0)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> kinoko::Result<()> {
    let app = kinoko::App::new().service::<Ledger>().service::<Pair>().start().await?;
    let names = app.client::<LedgerClient>().names("!".to_owned()).await?;
    assert_eq!(names, "main main replica archive names!");
    assert_eq!(app.client::<PairClient>().both().await?, "left right left");
    app.stop().await?;

    // A unit test builds the struct and calls its methods.
    let pair = Pair(Database("a"), Database("b"));
    assert_eq!(pair.both(Tx("t")), "a b t");
    Ok(())
}
