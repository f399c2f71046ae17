//! One process of the proof of sagas, as `ROLE` says: `host` runs them, `effects` writes the rows that they are about. Both kill themselves
//! where an order says, and the host starts an order for each line of its standard input.
//!
//! They have one thread, so that nothing goes on while it waits for the kill, but for what a socket or SQLite's thread has already.

mod effects;
mod host;

use kinoko::prelude::*;
use kinoko_tests::Kills;

/// [`Kills`] as a dependency.
#[derive(Clone)]
struct Planned(Kills);

impl Dependency for Planned {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Self::read()
    }
}

impl Planned {
    fn read() -> kinoko::Result<Self> {
        Ok(Self(Kills::of(std::env::var("KILLS")?)))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> kinoko::Result<()> {
    match &*std::env::var("ROLE")? {
        "host" => host::run().await,
        "effects" => effects::run().await,
        other => Err(kinoko::Error::msg(format!("no role `{other}`"))),
    }
}
