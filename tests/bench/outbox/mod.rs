//! The outbox: a backlog that a relay sends, beside plain dispatches of the same events, and what a transaction pays for an event.

mod peer;

pub(crate) use self::peer::{Role, run};
use crate::{Failed, options::Options, process::Peer, stats::Spread};

/// One round on one database: events a second.
struct Round {
    /// Dispatched, 256 waiting for their confirm at once.
    plain: f64,
    /// Sent by the relay out of the outbox.
    relayed: f64,
    /// Transactions that write a row, one after the other, without an event and with one.
    without: f64,
    with: f64,
}

pub(crate) fn compare(options: &Options) -> Result<(), Failed> {
    println!("## The outbox: the relay next to plain dispatches with confirms\n");
    println!(
        "| database | events | plain/s | relay/s | relay / plain | transactions/s without an event | with one | with / without |"
    );
    println!("|{}", " --- |".repeat(8));
    for role in [Role::Sqlite, Role::Postgres] {
        if role == Role::Postgres && std::env::var_os("KINOKO_TEST_POSTGRES_URL").is_none() {
            println!("\nPostgreSQL is left out: KINOKO_TEST_POSTGRES_URL names none.");
            continue;
        }
        let mut peer = role.start(&options.broker)?;
        let events = options.backlog / 4;
        round(&mut peer, events.min(1000))?;
        let rounds = (0..options.rounds).map(|_| round(&mut peer, events)).collect::<Result<Vec<_>, _>>()?;
        let median = |value: fn(&Round) -> f64| Spread::of(&rounds, value).median;
        println!(
            "| {} | {events} | {:.0} | {:.0} | {} | {:.0} | {:.0} | {} |",
            role.database(),
            median(|round| round.plain),
            median(|round| round.relayed),
            Spread::of(&rounds, |round| round.relayed / round.plain),
            median(|round| round.without),
            median(|round| round.with),
            Spread::of(&rounds, |round| round.with / round.without),
        );
    }
    println!();
    Ok(())
}

fn round(peer: &mut Peer, events: u64) -> Result<Round, Failed> {
    /// Enough for a rate.
    const TRANSACTIONS: u64 = 2000;
    let mut rate = |command: &str, count: u64| {
        let seconds: f64 = peer.ask(&format!("{command} {count}"))?.parse()?;
        Ok::<_, Failed>(count as f64 / seconds)
    };
    rate("begin", 1)?;
    let plain = rate("plain", events)?;
    rate("begin", 1)?;
    rate("fill", events)?;
    let relayed = rate("relay", events)?;
    let (without, with) = (rate("without", TRANSACTIONS)?, rate("with", TRANSACTIONS)?);
    rate("end", 1)?;
    Ok(Round { plain, relayed, without, with })
}
