//! Rounds: each contender in turn, so that whatever else the machine does meets them alike.

use std::time::Duration;

use crate::{
    Failed,
    load::{Done, Load, Until},
    options::Options,
    process::{Broker, Peer},
};

/// A contender: who calls, and who answers where that is another program.
pub(crate) struct Side {
    pub(crate) client: Peer,
    pub(crate) server: Option<Peer>,
    broker: Broker,
}

/// One run of one contender.
pub(crate) struct Run {
    pub(crate) done: Done,
    pub(crate) client: Cost,
    pub(crate) server: Cost,
    /// Processor time of the broker, in microseconds a call.
    pub(crate) broker_micros: f64,
}

/// What one side of a call costs, a call.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) micros: f64,
    pub(crate) allocations: f64,
}

impl Side {
    pub(crate) fn alone(client: Peer) -> Self {
        Self { client, server: None, broker: Broker::find() }
    }

    pub(crate) fn over_broker(client: Peer, server: Peer) -> Self {
        Self { client, server: Some(server), broker: Broker::find() }
    }

    fn peers(&mut self) -> impl Iterator<Item = &mut Peer> {
        std::iter::once(&mut self.client).chain(&mut self.server)
    }

    /// One run of what a command of the client says.
    pub(crate) fn run(&mut self, command: &str, load: Load) -> Result<Run, Failed> {
        let before: Vec<Duration> = self
            .peers()
            .map(|peer| {
                peer.allocations()?;
                peer.cpu()
            })
            .collect::<Result<_, _>>()?;
        let broker_before = self.broker.cpu();
        let done = self.client.run(command, load)?;
        let broker_micros = micros(self.broker.cpu().saturating_sub(broker_before), done.calls);
        let costs: Vec<Cost> = self
            .peers()
            .zip(before)
            .map(|(peer, before)| {
                let micros = micros(peer.cpu()?.saturating_sub(before), done.calls);
                Ok::<_, Failed>(Cost { micros, allocations: peer.allocations()? as f64 / done.calls.max(1) as f64 })
            })
            .collect::<Result<_, _>>()?;
        Ok(Run { done, client: costs[0], server: costs.get(1).copied().unwrap_or_default(), broker_micros })
    }
}

/// Microseconds each.
pub(crate) fn micros(time: Duration, calls: u64) -> f64 {
    time.as_secs_f64() * 1e6 / calls.max(1) as f64
}

/// How long the options let a run be.
pub(crate) fn until(options: &Options) -> Until {
    Until::Elapsed(options.seconds)
}

/// Runs the contenders in turn, in the opposite order every other round, after one short run each to warm up.
pub(crate) fn rounds<const N: usize>(
    sides: &mut [Side; N],
    command: &str,
    load: Load,
    rounds: usize,
) -> Result<[Vec<Run>; N], Failed> {
    for side in sides.iter_mut() {
        side.run(command, Load { until: Until::Elapsed(Duration::from_millis(200)), ..load })?;
    }
    let mut runs = std::array::from_fn(|_| Vec::new());
    for round in 0..rounds {
        for step in 0..N {
            let place = if round % 2 == 0 { step } else { N - 1 - step };
            runs[place].push(sides[place].run(command, load)?);
        }
    }
    Ok(runs)
}
