//! `list`: services, entrypoints, signatures, docs.

use clap::ArgMatches;
use serde_json::json;

use super::{fired, http, print, print_json, texts};
use crate::{
    Result,
    container::App,
    protocol::{Param, Value},
    service::{MethodInfo, ServiceDescriptor, millis},
};

pub(super) fn run(app: &App, matches: &ArgMatches) -> Result<()> {
    let wanted = texts(matches, "services");
    let services = app.named(&wanted)?;
    if matches.get_flag("json") {
        let services: Vec<_> = services.into_iter().map(service_json).collect();
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
    let entrypoints = entrypoints(service);
    let widest =
        entrypoints.iter().map(|(_, signature, _)| signature.chars().count()).max().unwrap_or_default().min(60);
    let kinds = entrypoints.iter().map(|(kind, ..)| kind.len()).max().unwrap_or_default();
    for (kind, signature, doc) in entrypoints {
        let doc = first_line(doc).unwrap_or_default();
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
    let events = service.events.iter();
    let events = events.map(|handler| ("event", who(handler.index, fired::event(handler)), handler.doc));
    let consumers = service.consumers.iter();
    let consumers = consumers.map(|queue| ("consume", who(queue.index, fired::consumer(queue)), queue.doc));
    let timers = service.timers.iter().map(|timer| ("timer", fired::timer(timer), timer.doc));
    let routes = service.routes.iter().map(|route| ("http", who(route.index, http::route(route)), route.doc));
    let sockets = service.sockets.iter().map(|method| ("websocket", who(method.index, signature(method)), method.doc));
    methods.chain(routes).chain(sockets).chain(events).chain(consumers).chain(timers).collect()
}

/// `hello(name: String, times: u32 = 1) -> String, or GreetingError`
pub(super) fn signature(method: &MethodInfo) -> String {
    let params: Vec<_> = method.params.iter().map(param).collect();
    let mut text = format!("{}({})", method.name, params.join(", "));
    if !method.returns.is_empty() {
        text.push_str(&format!(" -> {}", method.returns));
    }
    if let Some(error) = method.error {
        text.push_str(&format!(", or {error}"));
    }
    text
}

pub(super) fn param(param: &Param) -> String {
    match param.default {
        Some(default) => format!("{}: {} = {default}", param.name, param.ty),
        None => format!("{}: {}", param.name, param.ty),
    }
}

fn first_line(doc: &str) -> Option<&str> {
    doc.lines().map(str::trim).find(|line| !line.is_empty())
}

fn service_json(service: &ServiceDescriptor) -> Value {
    let who = |index: usize, mut entrypoint: Value| {
        if let Some(access) = service.access.to_json(index) {
            entrypoint["access"] = access;
        }
        entrypoint
    };
    let methods = service.methods.iter().map(|method| who(method.index, method_json("rpc", method)));
    let sockets = service.sockets.iter().map(|method| who(method.index, method_json("websocket", method)));
    let routes = service.routes.iter().map(|route| who(route.index, http::route_json(route)));
    let events = service.events.iter().map(|handler| who(handler.index, fired::event_json(service, handler)));
    let consumers = service.consumers.iter().map(|consumer| who(consumer.index, fired::consumer_json(consumer)));
    let timers = service.timers.iter().map(fired::timer_json);
    let entrypoints: Vec<_> =
        methods.chain(routes).chain(sockets).chain(events).chain(consumers).chain(timers).collect();
    json!({
        "name": service.name,
        "doc": service.doc,
        "wire": if service.nameko_wire { "nameko" } else { "kinoko" },
        "max_workers": service.max_workers,
        "entrypoints": entrypoints,
    })
}

fn method_json(kind: &str, method: &MethodInfo) -> Value {
    let params = method.params.iter().map(|param| {
        json!({
            "name": param.name,
            "type": param.ty,
            "required": param.required,
            "default": param.default,
            "sensitive": param.sensitive,
        })
    });
    json!({
        "kind": kind,
        "name": method.name,
        "doc": method.doc,
        "signature": signature(method),
        "params": params.collect::<Vec<_>>(),
        "returns": method.returns,
        "error": method.error,
        "timeout_ms": method.timeout.map(millis),
        "max_workers": method.max_workers,
    })
}
