//! `ps`: the instances that run.

use clap::ArgMatches;
use serde_json::json;

use super::{
    broker::Broker,
    print, print_json,
    table::{Table, age},
};
use crate::{Result, config::Settings, container::App, discovery::Presence};

pub(super) async fn run(app: App, settings: Settings, matches: &ArgMatches) -> Result<()> {
    let broker = Broker::visit(&app, settings, matches, "ps").await?;
    let told = tell(&broker, matches).await;
    broker.close().await;
    told
}

async fn tell(broker: &Broker, matches: &ArgMatches) -> Result<()> {
    let service = matches.get_one::<String>("service");
    let there = broker.fleet.ping(service.map(String::as_str)).await?;
    if let (Some(service), []) = (service, there.as_slice()) {
        return Err(broker.nobody(service).await);
    }
    if matches.get_flag("json") {
        return print_json(&json!({ "instances": there }));
    }
    if there.is_empty() {
        return print(&format!("no program answers at {}\n", broker.address()));
    }
    print(&table(&there))
}

fn table(there: &[Presence]) -> String {
    let mut rows: Vec<_> =
        there.iter().flat_map(|one| one.services.iter().map(move |service| (service, one))).collect();
    // By service, and within one as they come: by program, host and process.
    rows.sort_by(|one, other| one.0.name.cmp(&other.0.name));
    let head = ["SERVICE", "INSTANCE", "PROGRAM", "VERSION", "HOST/PID", "UPTIME", "WORKERS", "STATE"];
    let mut table = Table::new(&head);
    for (service, one) in rows {
        table.row([
            service.name.clone(),
            short(&one.instance),
            one.program.clone(),
            one.version.clone().unwrap_or_else(|| "-".to_owned()),
            format!("{}/{}", one.host.as_deref().unwrap_or("-"), one.pid),
            age(one.uptime_ms),
            format!("{}/{}", service.busy_workers, service.max_workers),
            if one.ready { "ready" } else { "not ready" }.to_owned(),
        ]);
    }
    table.text()
}

/// Enough of an instance to tell it from the others; `--json` has the whole.
pub(super) fn short(instance: &str) -> String {
    instance.chars().take(8).collect()
}
