//! One instance of two services, which tests stop and kill. What they do they write to the file `LEDGER`: the calls that a worker
//! begins, and the events that were handled.

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
    /// A number, and in its highest bit a mark. In one write, so that instances can share a file, and what dies in the middle of a call
    /// has written it.
    fn note(&self, id: u64, mark: bool) -> std::io::Result<()> {
        (&*self.0).write_all(&(id | u64::from(mark) << 63).to_le_bytes())
    }
}

#[derive(Dependencies)]
struct Instance {
    ledger: Ledger,
}

#[derive(serde::Deserialize)]
struct Step {
    #[serde(rename = "key")]
    _key: u64,
    id: u64,
}

/// Marks the requests that were given to a worker before, or handed back.
#[service(name = "faults_instance")]
impl Instance {
    #[rpc]
    async fn work(&self, #[inject] cx: WorkerContext, id: u64, millis: u64) -> kinoko::Result<u64> {
        self.ledger.note(id, cx.redelivered())?;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(id)
    }

    /// Works one event after the other; number 0 ends the whole process.
    #[event_handler("faults_instance", "work", concurrency = 1, retry(max = 2, backoff = "50ms..200ms"))]
    async fn on_work(&self, #[inject] cx: WorkerContext, id: u64) -> kinoko::Result<()> {
        self.ledger.note(id, cx.redelivered())?;
        if id == 0 { std::process::abort() } else { Ok(()) }
    }

    /// The same, in order; numbers from 100 on fail.
    #[event_handler(
        "faults_instance",
        "step",
        ordered_by = "key",
        retry(in_place, max = 3, backoff = "2s", jitter = false)
    )]
    async fn on_step(&self, #[inject] cx: WorkerContext, step: Step) -> kinoko::Result<()> {
        self.ledger.note(step.id, cx.redelivered())?;
        match step.id {
            0 => std::process::abort(),
            1..100 => Ok(()),
            100.. => Err(kinoko::Error::msg("it fails")),
        }
    }

    /// Ends the whole process, as a bug in a C library does.
    #[rpc]
    fn abort(&self, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        self.ledger.note(0, cx.redelivered())?;
        std::process::abort()
    }
}

#[derive(Dependencies)]
struct Recorder {
    ledger: Ledger,
}

/// Fails with every fiftieth event at first, and marks those.
#[service(name = "faults_recorder")]
impl Recorder {
    #[event_handler("faults_source", "happened")]
    async fn record(&self, #[inject] cx: WorkerContext, id: u64) -> Result<(), Verdict> {
        let fails = id.is_multiple_of(50) && cx.attempt() == 1;
        self.ledger.note(id, fails).map_err(kinoko::Error::from)?;
        if fails { Err(Retry::after(Duration::from_secs(2)).into()) } else { Ok(()) }
    }
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    kinoko::run().await
}
