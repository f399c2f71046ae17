//! gRPC: a unary call that is answered with its own message, next to plain tonic.

mod framework;
mod peer;
mod plain;

pub(crate) use self::peer::{Role, run};
use crate::{
    Failed,
    load::Load,
    measure::{self, Run, Side},
    options::Options,
    stats::{Goals, Spread},
};

/// Of plain tonic, with as many calls under way as one connection takes.
const GOAL: f64 = 0.9;

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!("## gRPC, next to plain tonic: a message of 100 B, one connection\n");
    println!(
        "| in flight | tonic/s | kinoko's server/s | kinoko's server and client/s | server / tonic | both / tonic | processor time a call, µs: \
         client of tonic | of kinoko | server of tonic | of kinoko | allocations: client of tonic | of kinoko | server of tonic | of kinoko |"
    );
    println!("|{}", " --- |".repeat(14));
    let mut sides = [
        side(Role::PlainClient, Role::PlainServer)?,
        side(Role::PlainClient, Role::FrameworkServer)?,
        side(Role::FrameworkClient, Role::FrameworkServer)?,
    ];
    for in_flight in [1, 64] {
        let load = Load { bytes: 100, in_flight, until: measure::until(options) };
        let [plain, server, both] = measure::rounds(&mut sides, "run", load, options.rounds)?;
        let rate = |run: &Run| run.done.per_second();
        let of_plain = |runs: &[Run]| Spread::of_ratios(runs, &plain, rate);
        let median = |runs: &[Run], of: fn(&Run) -> f64| Spread::of(runs, of).median;
        println!(
            "| {in_flight} | {:.0} | {:.0} | {:.0} | {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
            median(&plain, rate),
            median(&server, rate),
            median(&both, rate),
            of_plain(&server),
            of_plain(&both),
            median(&plain, |run| run.client.micros),
            median(&both, |run| run.client.micros),
            median(&plain, |run| run.server.micros),
            median(&both, |run| run.server.micros),
            median(&plain, |run| run.client.allocations),
            median(&both, |run| run.client.allocations),
            median(&plain, |run| run.server.allocations),
            median(&both, |run| run.server.allocations),
        );
        if in_flight > 1 {
            goals.at_least(format!("gRPC, server, {in_flight} in flight"), "of plain tonic", of_plain(&server), GOAL);
            goals.at_least(
                format!("gRPC, server and client, {in_flight} in flight"),
                "of plain tonic",
                of_plain(&both),
                GOAL,
            );
        }
    }
    println!();
    Ok(())
}

/// A server, and a client that calls it.
fn side(client: Role, server: Role) -> Result<Side, Failed> {
    let mut server = server.start()?;
    let address = server.ask("address")?;
    let mut client = client.start()?;
    client.ask(&format!("connect {address}"))?;
    Ok(Side::over_broker(client, server))
}
