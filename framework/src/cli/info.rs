//! `info`: what a service has that runs somewhere.

use clap::ArgMatches;
use serde_json::json;

use super::{broker::Broker, list::lines, print, print_json, ps::short, table::age};
use crate::{
    Result,
    config::Settings,
    container::App,
    discovery::{Kind, Presence, plain},
    protocol::Value,
    service::description::first_line,
};

pub(super) async fn run(app: App, settings: Settings, matches: &ArgMatches) -> Result<()> {
    let broker = Broker::visit(&app, settings, matches, "info").await?;
    let told = tell(&broker, matches).await;
    broker.close().await;
    told
}

async fn tell(broker: &Broker, matches: &ArgMatches) -> Result<()> {
    let service = matches.get_one::<String>("service").map(String::as_str).unwrap_or_default();
    let answers = broker.ask(Kind::Info, service).await?;
    let answers: Vec<Value> = answers.iter().filter_map(|answer| serde_json::from_slice(answer).ok()).collect();
    if matches.get_flag("json") {
        return print_json(&json!({ "answers": answers }));
    }
    let mut text = String::new();
    let mut told: Vec<(&Value, Vec<String>)> = Vec::new();
    // Instances of one service that have the same are told as one.
    for answer in &answers {
        let Some(presence) = Presence::read(answer.to_string().as_bytes()) else { continue };
        for described in answer["services"].as_array().into_iter().flatten() {
            let has = &described["entrypoints"];
            let line = instance(&presence);
            match told.iter_mut().find(|(other, _)| other["entrypoints"] == *has && other["name"] == described["name"])
            {
                Some((_, instances)) => instances.push(line),
                None => told.push((described, vec![line])),
            }
        }
    }
    for (described, instances) in told {
        text.push_str(&service_text(described));
        for line in instances {
            text.push_str(&format!("  {line}\n"));
        }
    }
    print(&text)
}

fn service_text(described: &Value) -> String {
    let word = |value: &Value| plain(value.as_str().unwrap_or_default());
    let mut text = word(&described["name"]);
    if let Some(doc) = described["doc"].as_str().and_then(first_line) {
        text.push_str(&format!(": {}", plain(doc)));
    }
    text.push('\n');
    let entrypoints = described["entrypoints"].as_array().into_iter().flatten();
    let entrypoints: Vec<_> = entrypoints
        .map(|told| {
            let doc = told["doc"].as_str().and_then(first_line).map(plain).unwrap_or_default();
            (word(&told["kind"]), word(&told["signature"]), doc)
        })
        .collect();
    text + &lines(&entrypoints)
}

/// `at web-1/4711: shop 1.2.0 (kinoko 0.1.0), up 3h 2m, instance 3f2a97c1`
fn instance(one: &Presence) -> String {
    let host = one.host.as_deref().unwrap_or("-");
    let version = one.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    format!(
        "at {host}/{}: {}{version} (kinoko {}), up {}, instance {}{}",
        one.pid,
        one.program,
        one.kinoko,
        age(one.uptime_ms),
        short(&one.instance),
        if one.ready { "" } else { ", not ready" },
    )
}
