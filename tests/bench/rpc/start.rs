//! From the start of a service to its first consumer.

use std::time::Instant;

use super::{amqp, framework, peer::Role};
use crate::{
    Failed,
    options::Options,
    payload::Codec,
    stats::{Goals, Spread},
};

const STARTS: usize = 20;

pub(crate) fn run(options: &Options) -> Result<(), Failed> {
    let (mut started, mut spawned) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begun = Instant::now();
        let mut peer = Role::Start.launch(Codec::MessagePack, &options.broker)?;
        started.push(peer.answer()?.parse()?);
        spawned.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let started = Spread::of_values(started);
    println!(
        "From `App::start` until it consumes: {started} ms; from the start of the process: {} ms.\n",
        Spread::of_values(spawned)
    );
    let mut goals = Goals::default();
    goals.at_most(format!("median of {STARTS} starts"), "ms", started, 40.0);
    goals.print();
    amqp::clean_up(&options.broker)
}

/// Starts the services once, and says how many milliseconds it took: `App::start` returns when the broker has the consumers.
pub(crate) async fn measured(broker: &str) -> Result<(), Failed> {
    let begun = Instant::now();
    let server = framework::Server::start(broker).await?;
    println!("{}", begun.elapsed().as_secs_f64() * 1e3);
    server.stop().await
}
