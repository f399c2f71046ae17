//! `list`: services, entrypoints, signatures, docs.

use clap::ArgMatches;
use serde_json::json;

use super::{print, print_json, texts};
use crate::{
    Result,
    container::App,
    service::{
        ServiceDescriptor,
        description::{consumer, describe, event, first_line, grpc, route, signature, timer},
    },
};

pub(super) fn run(app: &App, matches: &ArgMatches) -> Result<()> {
    let wanted = texts(matches, "services");
    let services = app.named(&wanted)?;
    if matches.get_flag("json") {
        let services: Vec<_> = services.into_iter().map(describe).collect();
        return print_json(&json!({ "services": services }));
    }
    let mut text = String::new();
    for service in services {
        text.push_str(&service_text(service));
    }
    print(&text)
}

fn service_text(service: &ServiceDescriptor) -> String {
    let mut text = service.name.to_owned();
    if let Some(doc) = first_line(service.doc) {
        text.push_str(&format!(": {doc}"));
    }
    text.push('\n');
    text + &lines(&entrypoints(service))
}

/// A line for each entrypoint: its kind, its signature, and the first line of its doc.
pub(super) fn lines<T: AsRef<str>>(entrypoints: &[(T, String, T)]) -> String {
    let mut text = String::new();
    let widest =
        entrypoints.iter().map(|(_, signature, _)| signature.chars().count()).max().unwrap_or_default().min(60);
    let kinds = entrypoints.iter().map(|(kind, ..)| kind.as_ref().len()).max().unwrap_or_default();
    for (kind, signature, doc) in entrypoints {
        let (kind, doc) = (kind.as_ref(), first_line(doc.as_ref()).unwrap_or_default());
        let line = format!("  {kind:<kinds$}  {signature:<widest$}  {doc}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Each with its kind, its signature and its doc.
fn entrypoints(service: &ServiceDescriptor) -> Vec<(&'static str, String, &'static str)> {
    let who = |index: usize, text: String| text + &service.access.to_text(index);
    let methods = service.methods.iter().map(|method| ("rpc", who(method.index, signature(method)), method.doc));
    let events = service.events.iter().map(|info| ("event", who(info.index, event(info)), info.doc));
    let consumers = service.consumers.iter().map(|info| ("consume", who(info.index, consumer(info)), info.doc));
    let timers = service.timers.iter().map(|info| ("timer", timer(info), info.doc));
    let routes = service.routes.iter().map(|info| ("http", who(info.index, route(info)), info.doc));
    let sockets = service.sockets.iter().map(|method| ("websocket", who(method.index, signature(method)), method.doc));
    let grpc = service.grpc.iter().map(|info| ("grpc", who(info.index, grpc(info)), info.doc));
    methods.chain(routes).chain(sockets).chain(grpc).chain(events).chain(consumers).chain(timers).collect()
}
