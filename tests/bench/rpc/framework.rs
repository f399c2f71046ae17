//! kinoko's side: a service and its typed client, as a user writes them.

use std::sync::Arc;

use kinoko::{App, RunningApp, Settings, prelude::*};

use super::Path;
use crate::{
    Failed,
    load::{self, Clock, Done, Load},
    payload::{Codec, Payload},
};

/// Echoes over the short path.
#[derive(Dependencies)]
pub(crate) struct Short;

#[service(name = "bench_short")]
impl Short {
    #[rpc]
    async fn echo(&self, payload: Payload) -> Payload {
        crate::payload::echo(payload).await
    }
}

/// Echoes over Nameko's topology alone.
#[derive(Dependencies)]
struct Nameko;

#[service(name = "bench_nameko", wire = "nameko")]
impl Nameko {
    #[rpc]
    async fn echo(&self, payload: Payload) -> Payload {
        crate::payload::echo(payload).await
    }
}

/// The queues that the services leave behind.
pub(crate) const QUEUES: [&str; 7] = [
    "rpc-bench_short",
    "kinoko.rpc-bench_short",
    "rpc-bench_nameko",
    "rpc-bench_guarded",
    "kinoko.rpc-bench_guarded",
    "rpc-bench_open",
    "kinoko.rpc-bench_open",
];

pub(crate) struct Server(RunningApp);

impl Server {
    pub(crate) async fn start(broker: &str) -> Result<Self, Failed> {
        Ok(Self(App::new().service::<Short>().service::<Nameko>().broker(broker).start().await?))
    }

    pub(crate) fn running_workers(&self) -> usize {
        self.0.running_workers()
    }

    pub(crate) async fn stop(self) -> Result<(), Failed> {
        Ok(self.0.stop().await?)
    }
}

pub(crate) struct Client {
    client: kinoko::Client,
    short: ShortClient,
    nameko: NamekoClient,
}

impl Client {
    pub(crate) async fn connect(broker: &str, codec: Codec) -> Result<Self, Failed> {
        let client = kinoko::Client::connect_with(broker, &settings(codec)).await?;
        Ok(Self { short: client.service(), nameko: client.service(), client })
    }

    pub(crate) fn pending_calls(&self) -> usize {
        self.client.pending_calls()
    }

    pub(crate) async fn load(&self, path: Path, run: Load, payload: Payload) -> Result<Done, Failed> {
        match path {
            Path::Short => {
                let client = self.short.clone();
                echoes(run, Clock::EveryCall, payload, move |payload| client.echo(payload)).await
            }
            Path::Nameko => {
                let client = self.nameko.clone();
                echoes(run, Clock::EveryCall, payload, move |payload| client.echo(payload)).await
            }
        }
    }
}

pub(crate) fn settings(codec: Codec) -> Settings {
    let mut settings = Settings::default();
    settings.set("rpc_codec", codec.name());
    settings.set("serializer", codec.name());
    settings
}

pub(crate) async fn echoes<E: kinoko::ServiceError>(
    run: Load,
    clock: Clock,
    payload: Payload,
    echo: impl Fn(Payload) -> Call<Payload, E> + Clone + Send + 'static,
) -> Result<Done, Failed> {
    let payload = Arc::new(payload);
    load::run(run, clock, move || {
        // Every client is given a value of its own to send.
        let (payload, sent) = (payload.clone(), echo((*payload).clone()));
        async move {
            let echoed = sent.await.map_err(|error| format!("{error:?}"))?;
            if echoed == *payload { Ok(()) } else { Err("the echo differs".into()) }
        }
    })
    .await
}
