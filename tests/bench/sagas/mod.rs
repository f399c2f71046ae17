//! Sagas of four steps that call nobody: what a log costs, in memory and in databases, next to the same rows written by hand.

mod framework;
mod peer;
mod twin;

pub(crate) use self::peer::{Role, run};
use crate::{
    Failed,
    load::Load,
    measure::{self, Side},
    options::Options,
    stats::{Goals, Spread},
};

/// Sagas a second, 256 under way.
const GOALS: [(&str, f64); 2] = [("PostgreSQL", 2000.0), ("SQLite", 1000.0)];

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!("## Sagas of four local steps\n");
    in_memory(options)?;
    in_databases(options, goals)
}

fn in_memory(options: &Options) -> Result<(), Failed> {
    println!(
        "| log | under way | bare steps/s | sagas/s | p50 µs of one | processor time a saga, µs | allocations a saga |"
    );
    println!("|{}", " --- |".repeat(7));
    let mut sides = [Side::alone(Role::Plain.start()?), Side::alone(Role::Memory.start()?)];
    for in_flight in [1, 64, 256] {
        let [plain, kinoko] = measure::rounds(&mut sides, "run", load(options, in_flight), options.rounds)?;
        println!(
            "| memory | {in_flight} | {:.0} | {:.0} | {} | {:.1} | {:.1} |",
            Spread::of(&plain, |run| run.done.per_second()).median,
            Spread::of(&kinoko, |run| run.done.per_second()).median,
            micros(in_flight, Spread::of(&kinoko, |run| run.done.p50.as_secs_f64() * 1e6)),
            Spread::of(&kinoko, |run| run.client.micros).median,
            Spread::of(&kinoko, |run| run.client.allocations).median,
        );
    }
    println!();
    Ok(())
}

fn in_databases(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!(
        "| log | under way | twin/s | kinoko/s | kinoko / twin | p50 µs of one: twin | kinoko | processor time a saga, µs: twin | kinoko |"
    );
    println!("|{}", " --- |".repeat(9));
    let mut servers = Vec::new();
    for [twin, kinoko] in [[Role::TwinSqlite, Role::Sqlite], [Role::TwinPostgres, Role::Postgres]] {
        if kinoko == Role::Postgres && std::env::var_os("KINOKO_TEST_POSTGRES_URL").is_none() {
            servers.push("PostgreSQL is left out: KINOKO_TEST_POSTGRES_URL names none.".to_owned());
            continue;
        }
        let mut kinoko_peer = kinoko.start()?;
        servers.push(format!("{}: {}.", kinoko.log(), kinoko_peer.ask("settings")?));
        let mut sides = [Side::alone(twin.start()?), Side::alone(kinoko_peer)];
        for in_flight in [1, 64, 256] {
            let [twin, runs] = measure::rounds(&mut sides, "run", load(options, in_flight), options.rounds)?;
            let rate = Spread::of(&runs, |run| run.done.per_second());
            println!(
                "| {} | {in_flight} | {:.0} | {:.0} | {} | {} | {} | {:.0} | {:.0} |",
                kinoko.log(),
                Spread::of(&twin, |run| run.done.per_second()).median,
                rate.median,
                Spread::of_ratios(&runs, &twin, |run| run.done.per_second()),
                micros(in_flight, Spread::of(&twin, |run| run.done.p50.as_secs_f64() * 1e6)),
                micros(in_flight, Spread::of(&runs, |run| run.done.p50.as_secs_f64() * 1e6)),
                Spread::of(&twin, |run| run.client.micros).median,
                Spread::of(&runs, |run| run.client.micros).median,
            );
            if in_flight == 256
                && let Some((_, goal)) = GOALS.iter().find(|(log, _)| *log == kinoko.log())
            {
                goals.at_least(format!("sagas on {}, 256 under way", kinoko.log()), "a second", rate, *goal);
            }
        }
    }
    println!("\n{}\n", servers.join(" "));
    Ok(())
}

fn load(options: &Options, in_flight: usize) -> Load {
    Load { bytes: 0, in_flight, until: measure::until(options) }
}

/// How long one took, where there was one at a time.
fn micros(in_flight: usize, spread: Spread) -> String {
    if in_flight == 1 { format!("{:.0}", spread.median) } else { String::new() }
}
