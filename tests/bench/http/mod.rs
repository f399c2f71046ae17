//! HTTP requests: a JSON GET and a POST whose body is validated, next to plain axum that does the same.

mod articles;
mod client;
mod framework;
mod peer;
mod plain;

pub(crate) use self::peer::{Role, run};
use crate::{
    Failed,
    load::Load,
    measure::{self, Side},
    options::Options,
    stats::{Goals, Spread},
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// `GET /articles/{id}`
    Get,
    /// `POST /articles`
    Post,
}

const ASKS: [(Ask, &str); 2] = [(Ask::Get, "get"), (Ask::Post, "post")];

impl Ask {
    fn name(self) -> &'static str {
        ASKS.iter().find(|(ask, _)| *ask == self).map_or("", |(_, name)| name)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let found = ASKS.iter().find(|(_, name)| *name == text);
        found.map(|(ask, _)| *ask).ok_or_else(|| format!("nobody asks for `{text}`"))
    }
}

/// Of plain axum, at 64 connections.
const GOAL: f64 = 0.9;

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!("## HTTP, next to plain axum that does the same\n");
    println!(
        "| request | connections | axum/s | kinoko/s | kinoko / axum | processor time a request, µs: axum | kinoko | \
         allocations: axum | kinoko |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut sides = [side(Role::PlainServer)?, side(Role::FrameworkServer)?];
    for (ask, name) in ASKS {
        for in_flight in [1, 64] {
            let load = Load { bytes: 0, in_flight, until: measure::until(options) };
            let [plain, kinoko] = measure::rounds(&mut sides, &format!("run {name}"), load, options.rounds)?;
            let ratio = Spread::of_ratios(&kinoko, &plain, |run| run.done.per_second());
            let median = |runs: &[measure::Run], of: fn(&measure::Run) -> f64| Spread::of(runs, of).median;
            println!(
                "| {name} | {in_flight} | {:.0} | {:.0} | {ratio} | {:.1} | {:.1} | {:.1} | {:.1} |",
                median(&plain, |run| run.done.per_second()),
                median(&kinoko, |run| run.done.per_second()),
                median(&plain, |run| run.server.micros),
                median(&kinoko, |run| run.server.micros),
                median(&plain, |run| run.server.allocations),
                median(&kinoko, |run| run.server.allocations),
            );
            if in_flight > 1 {
                goals.at_least(format!("HTTP, {}, {in_flight} connections", ask.name()), "of plain axum", ratio, GOAL);
            }
        }
    }
    println!();
    Ok(())
}

/// A server, and a client that asks it.
fn side(server: Role) -> Result<Side, Failed> {
    let mut server = server.start()?;
    let address = server.ask("address")?;
    let mut client = Role::Client.start()?;
    client.ask(&format!("connect {address}"))?;
    Ok(Side::over_broker(client, server))
}
