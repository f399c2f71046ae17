//! Over RabbitMQ: kinoko next to its raw twin.

use std::time::{Duration, Instant};

use super::{QueueType, framework, peer::Role, twin};
use crate::{
    Failed,
    load::{Load, Until},
    measure::{self, Cost, Run, Side, micros},
    options::Options,
    process::{Broker, Peer},
    stats::{Goals, Spread},
};

/// How many dispatches wait for their confirm at once.
const IN_FLIGHT: usize = 256;

/// Of the twin's rate.
const GOAL: f64 = 0.90;

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    for &queue in &options.queues {
        println!("## Events over RabbitMQ, {} queue\n", queue.name());
        let contenders = [
            Contender::new(queue, Role::TwinDispatcher, Role::TwinHandler, twin::queue(queue)),
            Contender::new(queue, Role::FrameworkDispatcher, Role::FrameworkHandler, framework::queue(queue)),
        ];
        for contender in &contenders {
            contender.declare(&options.broker)?;
        }
        throughput(&contenders, options, goals)?;
        one_at_a_time(&contenders, options)?;
        memory(&contenders, options, goals)?;
        let mut keeper = Role::Keeper.start(queue, &options.broker)?;
        for contender in &contenders {
            keeper.ask(&format!("delete {}", contender.queue))?;
            keeper.ask(&format!("delete kinoko.dead-{}", contender.queue))?;
        }
    }
    Ok(())
}

/// Who dispatches, who handles, and the queue between them.
struct Contender {
    kind: QueueType,
    dispatcher: Role,
    handler: Role,
    queue: String,
}

/// The same number of events dispatched to a queue that nobody consumes, then handled from there, then both at once.
struct Round {
    dispatched: Figures,
    drained: Figures,
    together: Figures,
    /// The most memory that the handler had while it drained, in KiB.
    peak_kib: u64,
}

/// What so many events cost, each.
struct Figures {
    per_second: f64,
    dispatcher: Cost,
    handler: Cost,
    broker_micros: f64,
}

impl Contender {
    fn new(kind: QueueType, dispatcher: Role, handler: Role, queue: String) -> Self {
        Self { kind, dispatcher, handler, queue }
    }

    /// Leaves an empty queue behind, as the handler declares it.
    fn declare(&self, broker: &str) -> Result<(), Failed> {
        let mut handler = self.handler.start(self.kind, broker)?;
        handler.ask("start")?;
        handler.ask("stop")?;
        self.keep("purge", broker).map(drop)
    }

    fn keep(&self, command: &str, broker: &str) -> Result<u32, Failed> {
        let mut keeper = Role::Keeper.start(self.kind, broker)?;
        Ok(keeper.ask(&format!("{command} {}", self.queue))?.parse()?)
    }

    fn round(&self, dispatcher: &mut Peer, bytes: usize, events: u64, broker: &str) -> Result<Round, Failed> {
        let load = Load { bytes, in_flight: IN_FLIGHT, until: Until::Calls(events) };
        let dispatched = figures(events, dispatcher, None, |dispatcher, _| {
            dispatcher.run("dispatch", load)?;
            Ok(())
        })?;
        let mut handler = self.handler.start(self.kind, broker)?;
        let drained = figures(events, dispatcher, Some(&mut handler), |_, handler| {
            let handler = handler.ok_or("it was given")?;
            handler.ask("start")?;
            handler.ask(&format!("wait {events}"))?;
            Ok(())
        })?;
        let peak_kib = handler.peak_kib()?;
        let together = figures(events, dispatcher, Some(&mut handler), |dispatcher, handler| {
            dispatcher.run("dispatch", load)?;
            handler.ok_or("it was given")?.ask(&format!("wait {}", events * 2))?;
            Ok(())
        })?;
        handler.ask("stop")?;
        match self.keep("messages", broker)? {
            0 => Ok(Round { dispatched, drained, together, peak_kib }),
            left => Err(format!("{left} handled events were not acknowledged: {}", self.queue).into()),
        }
    }
}

fn figures(
    events: u64,
    dispatcher: &mut Peer,
    mut handler: Option<&mut Peer>,
    work: impl FnOnce(&mut Peer, Option<&mut Peer>) -> Result<(), Failed>,
) -> Result<Figures, Failed> {
    let broker = Broker::find();
    let mut begin = |peer: &mut Peer| {
        peer.allocations()?;
        peer.cpu()
    };
    let end = |peer: &mut Peer, before: Duration| {
        let micros = micros(peer.cpu()?.saturating_sub(before), events);
        Ok::<_, Failed>(Cost { micros, allocations: peer.allocations()? as f64 / events as f64 })
    };
    let dispatcher_before = begin(dispatcher)?;
    let handler_before = handler.as_deref_mut().map(&mut begin).transpose()?.unwrap_or_default();
    let broker_before = broker.cpu();
    let began = Instant::now();
    work(dispatcher, handler.as_deref_mut())?;
    let elapsed = began.elapsed();
    Ok(Figures {
        per_second: events as f64 / elapsed.as_secs_f64(),
        broker_micros: micros(broker.cpu().saturating_sub(broker_before), events),
        dispatcher: end(dispatcher, dispatcher_before)?,
        handler: handler.map(|handler| end(handler, handler_before)).transpose()?.unwrap_or_default(),
    })
}

fn throughput(contenders: &[Contender; 2], options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!(
        "| what | bytes | twin/s | kinoko/s | kinoko / twin | CPU µs: dispatcher | more | handler | more | broker | more | allocations: dispatcher | more | handler | more |"
    );
    println!("|{}", " --- |".repeat(15));
    for &bytes in &options.bytes {
        let events = if bytes > 1000 { options.backlog / 40 } else { options.backlog / 4 };
        let mut dispatchers = [
            contenders[0].dispatcher.start(contenders[0].kind, &options.broker)?,
            contenders[1].dispatcher.start(contenders[1].kind, &options.broker)?,
        ];
        let mut rounds = [Vec::new(), Vec::new()];
        for (contender, dispatcher) in contenders.iter().zip(&mut dispatchers) {
            contender.round(dispatcher, bytes, events.min(1000), &options.broker)?;
        }
        for round in 0..options.rounds {
            for step in 0..2 {
                let place = (round + step) % 2;
                let done = contenders[place].round(&mut dispatchers[place], bytes, events, &options.broker)?;
                rounds[place].push(done);
            }
        }
        let [twin, kinoko] = rounds;
        #[allow(clippy::type_complexity, reason = "a name for it would be used once")]
        let works: [(&str, fn(&Round) -> &Figures); 3] = [
            ("dispatch", |round| &round.dispatched),
            ("handle a backlog", |round| &round.drained),
            ("both at once", |round| &round.together),
        ];
        for (what, work) in works {
            println!("{}", row(what, bytes, &twin, &kinoko, work));
            let ratio = Spread::of_ratios(&kinoko, &twin, |round| work(round).per_second);
            let what = format!("events, {} queue, {what}, {bytes} B", contenders[0].kind.name());
            goals.at_least(what, "of the twin's rate", ratio, GOAL);
        }
    }
    println!();
    Ok(())
}

fn row(what: &str, bytes: usize, twin: &[Round], kinoko: &[Round], work: fn(&Round) -> &Figures) -> String {
    let rate = |rounds: &[Round]| Spread::of(rounds, |round| work(round).per_second).median;
    let ratio = Spread::of_ratios(kinoko, twin, |round| work(round).per_second);
    let cost = |value: fn(&Figures) -> f64| {
        let value = |round: &Round| value(work(round));
        format!("{:.1} | {:+.1}", Spread::of(twin, value).median, Spread::of_differences(kinoko, twin, value).median)
    };
    format!(
        "| {what} | {bytes} | {:.0} | {:.0} | {ratio} | {} | {} | {} | {} | {} |",
        rate(twin),
        rate(kinoko),
        cost(|figures| figures.dispatcher.micros),
        cost(|figures| figures.handler.micros),
        cost(|figures| figures.broker_micros),
        cost(|figures| figures.dispatcher.allocations),
        cost(|figures| figures.handler.allocations),
    )
}

/// Each dispatch awaited before the next, as a method does that dispatches one event.
fn one_at_a_time(contenders: &[Contender; 2], options: &Options) -> Result<(), Failed> {
    println!("One dispatch at a time:\n");
    println!("| bytes | p50 µs: twin | kinoko | kinoko / twin | p99 µs: twin | kinoko |");
    println!("|{}", " --- |".repeat(6));
    let side = |contender: &Contender| {
        Ok::<_, Failed>(Side::alone(contender.dispatcher.start(contender.kind, &options.broker)?))
    };
    let mut sides = [side(&contenders[0])?, side(&contenders[1])?];
    for &bytes in &options.bytes {
        let load = Load { bytes, in_flight: 1, until: measure::until(options) };
        let [twin, kinoko] = measure::rounds(&mut sides, "dispatch", load, options.rounds)?;
        let p50 = |run: &Run| run.done.p50.as_secs_f64() * 1e6;
        let p99 = |runs: &[Run]| Spread::of(runs, |run| run.done.p99.as_secs_f64() * 1e6).median;
        println!(
            "| {bytes} | {:.0} | {:.0} | {} | {:.0} | {:.0} |",
            Spread::of(&twin, p50).median,
            Spread::of(&kinoko, p50).median,
            Spread::of_ratios(&kinoko, &twin, p50),
            p99(&twin),
            p99(&kinoko),
        );
    }
    for contender in contenders {
        contender.keep("purge", &options.broker)?;
    }
    println!();
    Ok(())
}

/// The most memory while a large backlog is handled, each in a program of its own.
fn memory(contenders: &[Contender; 2], options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    let mut peaks = [0.0; 2];
    for (contender, peak) in contenders.iter().zip(&mut peaks) {
        let mut dispatcher = contender.dispatcher.start(contender.kind, &options.broker)?;
        let round = contender.round(&mut dispatcher, 100, options.backlog, &options.broker)?;
        *peak = round.peak_kib as f64 / 1024.0;
    }
    let [twin, kinoko] = peaks;
    println!(
        "The most memory while a backlog of {} was handled: twin {twin:.1} MiB, kinoko {kinoko:.1} MiB.\n",
        options.backlog
    );
    let what = format!("events, {} queue, memory of the handler", contenders[0].kind.name());
    goals.at_most(what, "of the twin's", Spread::of_values(vec![kinoko / twin]), 1.2);
    Ok(())
}
