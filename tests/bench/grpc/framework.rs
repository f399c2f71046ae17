//! The echo as a service, and its client.

use kinoko::{App, RunningApp, Settings, grpc::GrpcClient, prelude::*};

use crate::Failed;

mod proto {
    kinoko::proto!("kinoko.bench.v1");
}

use self::proto::{Echo, Words};

#[derive(Dependencies)]
struct Echoes;

#[service(name = "bench_grpc", grpc = Echo)]
impl Echoes {
    #[grpc]
    async fn say(&self, words: Words) -> Words {
        words
    }
}

pub(super) type Client = GrpcClient<Echo>;

pub(super) async fn start() -> Result<RunningApp, Failed> {
    let settings = Settings::from_yaml("grpc: {address: \"127.0.0.1:0\"}")?;
    Ok(App::new().service::<Echoes>().settings(settings).start().await?)
}

pub(super) fn connect(address: &str) -> Result<Client, Failed> {
    Ok(GrpcClient::connect(address)?)
}

pub(super) async fn call(client: Client, words: Vec<u8>) -> Result<(), Failed> {
    client.say(Words { words }).await?;
    Ok(())
}
