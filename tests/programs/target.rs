//! A service for strangers to aim at, over RabbitMQ, in a process of its own.
//!
//! `TARGET_MAIN` says which `main` it has: `kinoko` (the default), `own`, or `plain`, which forgets the stack.

use std::{future::Future, process::ExitCode};

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Target;

#[service(name = "program_target")]
impl Target {
    #[rpc]
    fn echo(&self, text: String) -> String {
        text
    }
}

#[kinoko::main]
async fn with_kinokos_main() -> kinoko::Result<()> {
    App::new().service::<Target>().run().await
}

fn on_tokio(future: impl Future<Output = kinoko::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    match std::env::var("TARGET_MAIN").as_deref() {
        Ok("own") => {
            kinoko::enlarge_io_stack();
            on_tokio(App::new().service::<Target>().run())
        }
        Ok("plain") => on_tokio(async {
            // Too late: the runtime has its threads.
            kinoko::enlarge_io_stack();
            let broker = std::env::var("KINOKO_AMQP_URI")?;
            // The first connection is made before there is a log.
            let early = Client::connect(&broker).await?;
            let late = async { Client::connect(&broker).await.map(drop) };
            let ended = tokio::try_join!(App::new().service::<Target>().run(), late).map(drop);
            early.close().await;
            ended
        }),
        _ => with_kinokos_main(),
    }
}
