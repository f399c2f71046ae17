//! Over RabbitMQ: kinoko next to its raw twin, with the plain echo beside them.

use super::{Path, framework, peer::Role, plain, twin};
use crate::{
    Failed,
    load::{Load, Until},
    measure::{self, Run, Side},
    options::Options,
    payload::Codec,
    stats::{Goals, Spread},
};

/// How many calls are made before memory is looked at.
const RSS_CALLS: u64 = 100_000;

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    for &path in &options.paths {
        println!(
            "## Over RabbitMQ, {}\n",
            match path {
                Path::Short => "kinoko's short path (the default exchange both ways)",
                Path::Nameko => "Nameko's topology (the topic exchange both ways)",
            }
        );
        println!(
            "| codec | bytes | in flight | plain/s | twin/s | kinoko/s | kinoko / twin | p50 µs: twin | kinoko | kinoko / twin | p99 µs: twin | kinoko |"
        );
        println!("|{}", " --- |".repeat(12));
        let mut costs = Vec::new();
        for &codec in &options.codecs {
            let mut sides = sides(codec, &options.broker)?;
            for &bytes in &options.bytes {
                for in_flight in [1, 64, 256] {
                    let load = Load { bytes, in_flight, until: measure::until(options) };
                    let [plain, twin, kinoko] = measure::rounds(&mut sides, &path.run(), load, options.rounds)?;
                    println!("{}", rates(codec, load, &plain, &twin, &kinoko));
                    costs.push(cost(codec, load, &twin, &kinoko));
                    judge(goals, path, codec, load, &twin, &kinoko);
                }
            }
        }
        println!("\nWhat a call costs the twin, and how much more kinoko:\n");
        println!(
            "| codec | bytes | in flight | CPU µs: client | more | server | more | broker | more | allocations: client | more | server | more |"
        );
        println!("|{}", " --- |".repeat(13));
        println!("{}\n", costs.join("\n"));
    }
    memory(options, goals)?;
    clean_up(&options.broker)
}

fn sides(codec: Codec, broker: &str) -> Result<[Side; 3], Failed> {
    let side = |client: Role, server: Role| {
        let server = server.start(codec, broker)?;
        Ok::<_, Failed>(Side::over_broker(client.start(codec, broker)?, server))
    };
    Ok([
        side(Role::PlainClient, Role::PlainServer)?,
        side(Role::TwinClient, Role::TwinServer)?,
        side(Role::FrameworkClient, Role::FrameworkServer)?,
    ])
}

fn rates(codec: Codec, load: Load, plain: &[Run], twin: &[Run], kinoko: &[Run]) -> String {
    let Load { bytes, in_flight, .. } = load;
    let rate = |runs: &[Run]| Spread::of(runs, |run| run.done.per_second()).median;
    let ratio = Spread::of_ratios(kinoko, twin, |run| run.done.per_second());
    let latencies = if in_flight == 1 {
        let p50 = |runs: &[Run]| Spread::of(runs, p50_micros).median;
        let p99 = |runs: &[Run]| Spread::of(runs, |run| run.done.p99.as_secs_f64() * 1e6).median;
        let ratio = Spread::of_ratios(kinoko, twin, p50_micros);
        format!("{:.0} | {:.0} | {ratio} | {:.0} | {:.0}", p50(twin), p50(kinoko), p99(twin), p99(kinoko))
    } else {
        " | | | |".to_owned()
    };
    format!(
        "| {} | {bytes} | {in_flight} | {:.0} | {:.0} | {:.0} | {ratio} | {latencies} |",
        codec.name(),
        rate(plain),
        rate(twin),
        rate(kinoko),
    )
}

fn cost(codec: Codec, load: Load, twin: &[Run], kinoko: &[Run]) -> String {
    let Load { bytes, in_flight, .. } = load;
    let cost = |value: fn(&Run) -> f64| {
        format!("{:.1} | {:+.1}", Spread::of(twin, value).median, Spread::of_differences(kinoko, twin, value).median)
    };
    format!(
        "| {} | {bytes} | {in_flight} | {} | {} | {} | {} | {} |",
        codec.name(),
        cost(|run| run.client.micros),
        cost(|run| run.server.micros),
        cost(|run| run.broker_micros),
        cost(|run| run.client.allocations),
        cost(|run| run.server.allocations),
    )
}

fn p50_micros(run: &Run) -> f64 {
    run.done.p50.as_secs_f64() * 1e6
}

fn judge(goals: &mut Goals, path: Path, codec: Codec, load: Load, twin: &[Run], kinoko: &[Run]) {
    let Load { bytes, in_flight, .. } = load;
    let what = format!("{} path, {} {bytes} B, {in_flight} in flight", path.name(), codec.name());
    if in_flight == 1 {
        if path == Path::Short {
            goals.at_most(what, "of the twin's p50", Spread::of_ratios(kinoko, twin, p50_micros), 1.10);
        }
        return;
    }
    let goal = match path {
        Path::Short => 0.90,
        Path::Nameko => 0.92,
    };
    let more = |value: fn(&Run) -> f64| Spread::of_differences(kinoko, twin, value);
    goals.at_least(
        what.clone(),
        "of the twin's rate",
        Spread::of_ratios(kinoko, twin, |run| run.done.per_second()),
        goal,
    );
    goals.at_most(format!("{what}, client"), "µs CPU a call more", more(|run| run.client.micros), 4.0);
    goals.at_most(format!("{what}, server"), "µs CPU a call more", more(|run| run.server.micros), 4.0);
    goals.at_most(format!("{what}, client"), "allocations a call more", more(|run| run.client.allocations), 10.0);
    goals.at_most(format!("{what}, server"), "allocations a call more", more(|run| run.server.allocations), 10.0);
}

/// Memory after so many calls, each in programs of its own.
fn memory(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!("## Memory after {RSS_CALLS} calls, MessagePack, 100 B, 64 in flight\n");
    println!("| side | twin MiB | kinoko MiB | kinoko / twin |");
    println!("| --- | --- | --- | --- |");
    let [_, mut twin, mut kinoko] = sides(Codec::MessagePack, &options.broker)?;
    let load = Load { bytes: 100, in_flight: 64, until: Until::Calls(RSS_CALLS) };
    for side in [&mut twin, &mut kinoko] {
        side.run(&Path::Short.run(), load)?;
    }
    for (name, peer) in [("client", 0), ("server", 1)] {
        let mib = |side: &Side| {
            let peer = if peer == 0 { Some(&side.client) } else { side.server.as_ref() };
            Ok::<_, Failed>(peer.ok_or("both sides have a server")?.rss_kib()? as f64 / 1024.0)
        };
        let (twin, kinoko) = (mib(&twin)?, mib(&kinoko)?);
        println!("| {name} | {twin:.1} | {kinoko:.1} | {:.2} |", kinoko / twin);
        goals.at_most(format!("memory, {name}"), "of the twin's", Spread::of_values(vec![kinoko / twin]), 1.2);
    }
    println!();
    Ok(())
}

/// Deletes the queues that outlive their consumers.
pub(crate) fn clean_up(broker: &str) -> Result<(), Failed> {
    let mut peer = Role::TwinClient.start(Codec::MessagePack, broker)?;
    for queue in framework::QUEUES.iter().chain(&[twin::RPC_QUEUE, twin::SHORT_QUEUE, plain::QUEUE]) {
        peer.ask(&format!("delete {queue}"))?;
    }
    Ok(())
}
