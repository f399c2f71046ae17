//! In one process: kinoko's in-process broker, next to tokio's channels with the same codec.

use std::sync::Arc;

use kinoko::{App, RunningApp};
use tokio::sync::{mpsc, oneshot};

use super::{
    Path,
    framework::{self, Short, ShortClient},
    peer::Role,
};
use crate::{
    Failed,
    load::{self, Clock, Done, Load},
    measure::{self, Side},
    options::Options,
    payload::{Arguments, Codec, Payload, Reply, Request, echo},
    stats::{Goals, Spread},
};

/// A channel to a task that starts a task for each call, which decodes the arguments and encodes the result.
pub(crate) struct Channels {
    codec: Codec,
    requests: mpsc::Sender<(Vec<u8>, oneshot::Sender<Vec<u8>>)>,
}

impl Channels {
    pub(crate) fn start(codec: Codec) -> Self {
        let (requests, mut incoming) = mpsc::channel::<(Vec<u8>, oneshot::Sender<Vec<u8>>)>(256);
        tokio::spawn(async move {
            while let Some((body, reply)) = incoming.recv().await {
                tokio::spawn(async move {
                    let answered = async {
                        let request: Request<Payload> = codec.decode(&body)?;
                        let result = echo(request.kwargs.payload).await;
                        codec.encode(&Reply { result: Some(result), error: None })
                    };
                    match answered.await {
                        Ok(body) => drop(reply.send(body)),
                        Err(error) => eprintln!("channels: {error}"),
                    }
                });
            }
        });
        Self { codec, requests }
    }

    pub(crate) async fn load(&self, run: Load, payload: Payload) -> Result<Done, Failed> {
        let (codec, requests) = (self.codec, self.requests.clone());
        let payload = Arc::new(payload);
        load::run(run, Clock::Seldom, move || {
            let (requests, payload, sent) = (requests.clone(), payload.clone(), (*payload).clone());
            async move {
                let body = codec.encode(&Request { args: [], kwargs: Arguments { payload: sent } })?;
                let (sender, reply) = oneshot::channel();
                requests.send((body, sender)).await?;
                match codec.decode::<Reply<Payload>>(&reply.await?)?.result {
                    Some(echoed) if echoed == *payload => Ok(()),
                    _ => Err("the echo differs".into()),
                }
            }
        })
        .await
    }
}

/// A service and its typed client over `memory://`.
pub(crate) struct InProcess {
    _app: RunningApp,
    client: ShortClient,
}

impl InProcess {
    pub(crate) async fn start(codec: Codec) -> Result<Self, Failed> {
        let app =
            App::new().service::<Short>().settings(framework::settings(codec)).broker("memory://").start().await?;
        Ok(Self { client: app.client(), _app: app })
    }

    pub(crate) async fn load(&self, run: Load, payload: Payload) -> Result<Done, Failed> {
        let client = self.client.clone();
        framework::echoes(run, Clock::Seldom, payload, move |payload| client.echo(payload)).await
    }
}

/// Of channels and codec, at 64 in flight and more.
const GOAL: f64 = 0.6;

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!("## In memory, next to tokio's channels with the same codec\n");
    println!(
        "| codec | bytes | in flight | channels/s | kinoko/s | kinoko / channels | allocations a call: channels | kinoko |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for codec in &options.codecs {
        let channels = Side::alone(Role::Channels.start(*codec, &options.broker)?);
        let kinoko = Side::alone(Role::Memory.start(*codec, &options.broker)?);
        let mut sides = [channels, kinoko];
        for &bytes in &options.bytes {
            for in_flight in [1, 64, 256] {
                let load = Load { bytes, in_flight, until: measure::until(options) };
                let [channels, kinoko] = measure::rounds(&mut sides, &Path::Short.run(), load, options.rounds)?;
                let ratio = Spread::of_ratios(&kinoko, &channels, |run| run.done.per_second());
                println!(
                    "| {} | {bytes} | {in_flight} | {:.0} | {:.0} | {ratio} | {:.1} | {:.1} |",
                    codec.name(),
                    Spread::of(&channels, |run| run.done.per_second()).median,
                    Spread::of(&kinoko, |run| run.done.per_second()).median,
                    Spread::of(&channels, |run| run.client.allocations).median,
                    Spread::of(&kinoko, |run| run.client.allocations).median,
                );
                if in_flight > 1 {
                    let what = format!("in memory, {} {bytes} B, {in_flight} in flight", codec.name());
                    goals.at_least(what, "of channels + codec", ratio, GOAL);
                }
            }
        }
    }
    println!();
    Ok(())
}
