//! One service, run as users run it: settings from the environment, until a signal comes.
//!
//! Prints a line when a worker starts and when one ends, so that the test knows where it is.
#![allow(clippy::print_stdout, reason = "the test reads it")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kinoko::prelude::*;
use tokio::task::JoinHandle;

#[derive(Dependencies)]
struct Sleeper;

#[service(name = "program_sleeper")]
impl Sleeper {
    #[rpc]
    async fn sleep(&self, millis: u64) -> u64 {
        println!("started");
        tokio::time::sleep(Duration::from_millis(millis)).await;
        println!("ended");
        millis
    }
}

/// Calls the sleeper as soon as it is set up, so that there is a worker to stop; its own stop waits for the answer.
#[derive(Clone)]
struct AtStart {
    proxy: ServiceProxy,
    call: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Dependency for AtStart {
    type Options = ();
    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self { proxy: cx.proxy(), call: Arc::default() })
    }
    async fn start(&self) -> kinoko::Result<()> {
        if let Ok(millis) = std::env::var("SLEEP_MILLIS") {
            let millis: u64 = millis.parse()?;
            let proxy = self.proxy.clone();
            let call = tokio::spawn(async move {
                // Until the queue is there.
                while proxy.call("program_sleeper", "sleep").kwarg("millis", millis).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                println!("answered");
            });
            *self.call.lock().unwrap() = Some(call);
        }
        Ok(())
    }
    async fn stop(&self) -> kinoko::Result<()> {
        if std::env::var_os("SLOW_SETUP").is_some() {
            println!("stopped");
        }
        let call = self.call.lock().unwrap().take();
        if let Some(call) = call {
            // Workers are over by now: what they answered is here, or never comes.
            let _ = tokio::time::timeout(Duration::from_secs(1), call).await;
        }
        Ok(())
    }
}

/// Takes for ever to be set up, where it is told so.
#[derive(Clone)]
struct SlowSetup;

impl Dependency for SlowSetup {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        if std::env::var_os("SLOW_SETUP").is_some() {
            println!("setting up");
            std::future::pending::<()>().await;
        }
        match std::env::var("FAIL_SETUP") {
            Ok(text) => Err(std::io::Error::other(text).into()),
            Err(_) => Ok(Self),
        }
    }
}

#[derive(Dependencies)]
#[allow(dead_code, reason = "they act by being set up")]
struct Starter {
    at_start: AtStart,
    slow: SlowSetup,
}

#[service(name = "program_starter")]
impl Starter {
    #[rpc]
    fn unused(&self) {}
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    kinoko::run().await
}
