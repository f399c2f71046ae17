//! `stats`: how the services do that run somewhere.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, stdout},
    time::Duration,
};

use clap::ArgMatches;
use kinoko_text::parse_duration;
use serde_json::json;
use tokio::time::Instant;

use super::{broker::Broker, print, print_json, table::Table};
use crate::{
    Error, ErrorKind, Result,
    config::Settings,
    container::App,
    discovery::{ANSWER_TIME, EntrypointStats, Kind, Stats},
    protocol::Value,
};

pub(super) async fn run(app: App, settings: Settings, matches: &ArgMatches) -> Result<()> {
    let every = match matches.get_one::<String>("watch") {
        None => None,
        Some(text) => match parse_duration(text) {
            Ok(every) if every >= ANSWER_TIME => Some(every),
            Ok(_) => return Err(Error::new(ErrorKind::Usage, "`--watch`: answers take 300 ms: the least is `300ms`")),
            Err(text) => return Err(Error::new(ErrorKind::Usage, format!("`--watch`: {text}"))),
        },
    };
    let broker = Broker::visit(&app, settings, matches, "stats").await?;
    let told = tell(&broker, matches, every).await;
    broker.close().await;
    told
}

/// What is told of one method under what fires it, of all instances.
#[derive(Debug, Default)]
struct Row {
    instances: u64,
    total: u64,
    errors: u64,
    failed: u64,
    retries: u64,
    dead_letters: u64,
    in_flight: u64,
    seconds: f64,
    worst_p99: Option<f64>,
    last_failure: Option<(String, String)>,
}

/// By service, kind and what it is called.
type Rows = BTreeMap<(String, String, String), Row>;

async fn tell(broker: &Broker, matches: &ArgMatches, every: Option<Duration>) -> Result<()> {
    let service = matches.get_one::<String>("service").map(String::as_str);
    let mut before: Option<(Instant, Rows)> = None;
    loop {
        let asked = Instant::now();
        let answers = match service {
            Some(service) => broker.ask(Kind::Stats, service).await?,
            None => broker.fleet.ask(Kind::Stats, None, ANSWER_TIME).await?,
        };
        if matches.get_flag("json") {
            let answers: Vec<Value> = answers.iter().filter_map(|answer| serde_json::from_slice(answer).ok()).collect();
            let told = json!({ "answers": answers });
            match every {
                Some(_) => print(&format!("{told}\n"))?,
                None => print_json(&told)?,
            }
        } else {
            let rows = rows(answers.iter().filter_map(|answer| Stats::read(answer)).map(|(_, stats)| stats));
            let text = match rows.is_empty() {
                true => format!("no program answers at {}\n", broker.address()),
                false => table(&rows, before.as_ref().map(|(at, rows)| (asked - *at, rows))),
            };
            // What was told before goes, where somebody looks at it.
            let clear = if every.is_some() && stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
            print(&format!("{clear}{text}"))?;
            before = Some((asked, rows));
        }
        let Some(every) = every else { return Ok(()) };
        tokio::time::sleep_until(asked + every).await;
    }
}

fn rows(answers: impl Iterator<Item = Stats>) -> Rows {
    let mut rows = Rows::new();
    for service in answers.flat_map(|stats| stats.services) {
        for entrypoint in service.entrypoints {
            let name = match &entrypoint.route {
                Some((verb, path)) => format!("{verb} {path}"),
                None => entrypoint.method.clone(),
            };
            rows.entry((service.name.clone(), entrypoint.kind.clone(), name)).or_default().add(&entrypoint);
        }
    }
    rows
}

impl Row {
    fn add(&mut self, entrypoint: &EntrypointStats) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.instances, 1);
        add(&mut self.total, entrypoint.total());
        add(&mut self.errors, entrypoint.ended(&["expected_error", "rejected"]));
        add(&mut self.failed, entrypoint.ended(&["unexpected_error", "timeout"]));
        add(&mut self.retries, entrypoint.retries);
        add(&mut self.dead_letters, entrypoint.dead_letters);
        add(&mut self.in_flight, entrypoint.in_flight);
        self.seconds += entrypoint.duration.sum_seconds;
        let p99 = entrypoint.duration.p99_seconds;
        self.worst_p99 = [self.worst_p99, p99].into_iter().flatten().reduce(f64::max);
        let failure = entrypoint.last_failure.as_ref().map(|failure| (failure.at.clone(), failure.text.clone()));
        self.last_failure = self.last_failure.take().max(failure);
    }
}

/// `before` is how long ago what was counted, for what happens in a second.
fn table(rows: &Rows, before: Option<(Duration, &Rows)>) -> String {
    let head = [
        "SERVICE",
        "KIND",
        "METHOD",
        "INST",
        "TOTAL",
        "RATE",
        "ERRORS",
        "FAILED",
        "RETRIES",
        "DEAD",
        "RUNNING",
        "MEAN",
        "P99",
        "LAST FAILURE",
    ];
    let mut table = Table::new(&head);
    for (key, row) in rows {
        let (service, kind, name) = key.clone();
        let rate = before.and_then(|(since, rows)| {
            let more = row.total.checked_sub(rows.get(key)?.total)?;
            Some(format!("{:.1}/s", more as f64 / since.as_secs_f64()))
        });
        let mean = (row.total > 0).then(|| row.seconds / row.total as f64);
        let failure = row.last_failure.as_ref().map(|(at, text)| format!("{}: {text}", time(at)));
        table.row([
            service,
            kind,
            name,
            row.instances.to_string(),
            row.total.to_string(),
            rate.unwrap_or_else(|| "-".to_owned()),
            row.errors.to_string(),
            row.failed.to_string(),
            row.retries.to_string(),
            row.dead_letters.to_string(),
            row.in_flight.to_string(),
            mean.map_or_else(|| "-".to_owned(), span),
            row.worst_p99.map_or_else(|| "-".to_owned(), span),
            failure.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.text()
}

/// To the second.
fn time(at: &str) -> &str {
    at.split('.').next().unwrap_or(at)
}

/// `850us`, `12.3ms`, `1.20s`
fn span(seconds: f64) -> String {
    match seconds {
        ..0.001 => format!("{:.0}us", seconds * 1e6),
        0.001..1.0 => format!("{:.1}ms", seconds * 1e3),
        _ => format!("{seconds:.2}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(total: u64, failure: Option<&str>) -> Stats {
        let failure = failure.map(|at| json!({"at": at, "text": "no paper"}));
        let entrypoint = json!({
            "method": "print", "kind": "rpc",
            "ended": {"ok": total, "rejected": 1, "timeout": 2},
            "duration": {"count": total, "sum_seconds": 0.5, "p99_seconds": 0.02},
            "last_failure": failure,
        });
        let stats = json!({ "services": [{"name": "letters", "entrypoints": [entrypoint]}] });
        serde_json::from_value(stats).unwrap()
    }

    #[test]
    fn instances_of_one_service_are_one_row() {
        let before = rows([answer(7, None)].into_iter());
        let now = rows([answer(94, Some("2026-01-02T03:04:05.6Z")), answer(0, None)].into_iter());
        let text = table(&now, Some((Duration::from_secs(10), &before)));
        let cells: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            cells,
            [
                "letters",
                "rpc",
                "print",
                "2",
                "100",
                "9.0/s",
                "2",
                "4",
                "0",
                "0",
                "0",
                "10.0ms",
                "20.0ms",
                "2026-01-02T03:04:05:",
                "no",
                "paper"
            ]
        );
    }

    #[test]
    fn numbers_from_anywhere_do_not_overflow() {
        let rows = rows([answer(u64::MAX, None), answer(u64::MAX, None)].into_iter());
        assert!(table(&rows, None).contains(&u64::MAX.to_string()));
    }
}
