use kinoko::prelude::*;

struct Pool;

impl Dependency for Pool {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self)
    }
}

fn main() {}
