//! `show-config`: every setting, its value, where it was set.

use clap::ArgMatches;
use serde_json::json;

use super::{print, print_json};
use crate::{Result, config::Settings, container::App};

pub(super) fn run(app: &App, settings: &Settings, matches: &ArgMatches) -> Result<()> {
    app.declare(settings)?;
    let entries = settings.entries();
    if matches.get_flag("json") {
        let settings: serde_json::Map<_, _> = entries
            .into_iter()
            .map(|entry| (entry.key, json!({ "value": entry.value, "origin": entry.origin, "known": entry.known })))
            .collect();
        return print_json(&settings);
    }
    let lines: Vec<_> = entries
        .into_iter()
        .map(|entry| {
            let value = entry.value.map_or_else(String::new, |value| format!(" {value}"));
            let doubt = if entry.known { "" } else { "; no field of a service reads it" };
            (format!("{}:{value}", entry.key), format!("{}{doubt}", entry.origin))
        })
        .collect();
    let widest = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default().min(50);
    let mut text: String = lines.into_iter().map(|(line, origin)| format!("{line:<widest$}  # {origin}\n")).collect();
    for note in settings.notes() {
        text.push_str(&format!("# {note}\n"));
    }
    print(&text)
}
