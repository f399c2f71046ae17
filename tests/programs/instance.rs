//! One instance of a service, which tests stop and kill. Each worker that begins writes its call's number to the file `LEDGER`.

use std::{fs::File, io::Write, time::Duration};

use kinoko::prelude::*;

#[derive(Clone)]
struct Ledger(std::sync::Arc<File>);

impl Dependency for Ledger {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        let path = std::env::var("LEDGER")?;
        Ok(Self(File::options().create(true).append(true).open(path)?.into()))
    }
}

impl Ledger {
    /// In one write, so that instances can share a file, and what dies in the middle of a call has written it.
    fn note(&self, id: u64, cx: &WorkerContext) -> kinoko::Result<()> {
        // The highest bit tells whether the request was given to a worker before, or handed back.
        let entry = id | u64::from(cx.redelivered()) << 63;
        (&*self.0).write_all(&entry.to_le_bytes())?;
        Ok(())
    }
}

#[derive(Dependencies)]
struct Instance {
    ledger: Ledger,
}

#[service(name = "faults_instance")]
impl Instance {
    #[rpc]
    async fn work(&self, #[inject] cx: WorkerContext, id: u64, millis: u64) -> kinoko::Result<u64> {
        self.ledger.note(id, &cx)?;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(id)
    }

    /// Works one event after the other; number 0 ends the whole process.
    #[event_handler("faults_instance", "work", concurrency = 1, retry(max = 2, backoff = "50ms..200ms"))]
    async fn on_work(&self, #[inject] cx: WorkerContext, id: u64) -> kinoko::Result<()> {
        self.ledger.note(id, &cx)?;
        if id == 0 { std::process::abort() } else { Ok(()) }
    }

    /// Ends the whole process, as a bug in a C library does.
    #[rpc]
    fn abort(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        self.ledger.note(0, &cx)?;
        std::process::abort()
    }
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    kinoko::run().await
}
