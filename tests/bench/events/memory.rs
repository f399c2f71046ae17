//! In one process: events through kinoko's in-process broker, next to a tokio channel with the same codec.

use std::{sync::Arc, time::Instant};

use tokio::sync::mpsc;

use super::{
    QueueType, framework,
    peer::{HANDLED, Role},
};
use crate::{
    Failed,
    load::{self, Clock, Done, Load},
    measure::{self, Side},
    options::Options,
    payload::{Codec, Payload},
    stats::Spread,
};

/// A channel to a task that starts a task for each event, which decodes it.
pub(crate) struct Channel(mpsc::Sender<Vec<u8>>);

impl Channel {
    pub(crate) fn start() -> Self {
        let (sender, mut events) = mpsc::channel::<Vec<u8>>(256);
        tokio::spawn(async move {
            while let Some(body) = events.recv().await {
                tokio::spawn(async move {
                    match Codec::Json.decode(&body) {
                        Ok(payload) => HANDLED.note(payload),
                        Err(error) => eprintln!("channel: {error}"),
                    }
                });
            }
        });
        Self(sender)
    }

    async fn load(&self, run: Load, payload: Payload) -> Result<Done, Failed> {
        let (sender, payload) = (self.0.clone(), Arc::new(payload));
        load::run(run, Clock::Seldom, move || {
            let (sender, payload) = (sender.clone(), payload.clone());
            async move { Ok(sender.send(Codec::Json.encode(&*payload)?).await?) }
        })
        .await
    }
}

/// A service and a dispatcher over `memory://`.
pub(crate) struct InProcess {
    dispatcher: framework::Dispatcher,
    _handler: framework::Handler,
}

impl InProcess {
    pub(crate) async fn start() -> Result<Self, Failed> {
        const BROKER: &str = "memory://bench";
        let handler = framework::Handler::start(BROKER, QueueType::Quorum).await?;
        Ok(Self { dispatcher: framework::Dispatcher::connect(BROKER, QueueType::Quorum).await?, _handler: handler })
    }
}

/// Both ends of one process.
pub(crate) enum Both {
    Channel(Channel),
    InProcess(InProcess),
}

impl Both {
    /// Until every event is handled.
    pub(crate) async fn load(&self, run: Load, payload: Payload) -> Result<Done, Failed> {
        let (before, began) = (HANDLED.count(), Instant::now());
        let done = match self {
            Self::Channel(channel) => channel.load(run, payload).await?,
            Self::InProcess(process) => process.dispatcher.load(Clock::Seldom, run, payload).await?,
        };
        HANDLED.wait(before + done.calls).await;
        Ok(Done { elapsed: began.elapsed(), ..done })
    }
}

pub(crate) fn compare(options: &Options) -> Result<(), Failed> {
    println!("## Events in memory, next to a tokio channel with the same codec\n");
    println!("| bytes | channel/s | kinoko/s | kinoko / channel | allocations an event: channel | kinoko |");
    println!("|{}", " --- |".repeat(6));
    let side = |role: Role| Ok::<_, Failed>(Side::alone(role.start(QueueType::Quorum, &options.broker)?));
    let mut sides = [side(Role::Channel)?, side(Role::InProcess)?];
    for &bytes in &options.bytes {
        let load = Load { bytes, in_flight: 64, until: measure::until(options) };
        let [channel, kinoko] = measure::rounds(&mut sides, "dispatch", load, options.rounds)?;
        println!(
            "| {bytes} | {:.0} | {:.0} | {} | {:.1} | {:.1} |",
            Spread::of(&channel, |run| run.done.per_second()).median,
            Spread::of(&kinoko, |run| run.done.per_second()).median,
            Spread::of_ratios(&kinoko, &channel, |run| run.done.per_second()),
            Spread::of(&channel, |run| run.client.allocations).median,
            Spread::of(&kinoko, |run| run.client.allocations).median,
        );
    }
    println!();
    Ok(())
}
