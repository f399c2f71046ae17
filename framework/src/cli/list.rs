//! `list`: services, entrypoints, signatures, docs.

use clap::ArgMatches;
use serde_json::json;

use super::{print, print_json, texts};
use crate::{
    Result,
    container::App,
    protocol::{Param, Value},
    service::{MethodInfo, ServiceDescriptor},
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
    let signatures: Vec<_> = service.methods.iter().map(signature).collect();
    let widest = signatures.iter().map(|signature| signature.chars().count()).max().unwrap_or_default().min(60);
    for (method, signature) in service.methods.iter().zip(signatures) {
        let doc = first_line(method.doc).unwrap_or_default();
        let line = format!("  rpc  {signature:<widest$}  {doc}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
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

fn param(param: &Param) -> String {
    match param.default {
        Some(default) => format!("{}: {} = {default}", param.name, param.ty),
        None => format!("{}: {}", param.name, param.ty),
    }
}

fn first_line(doc: &str) -> Option<&str> {
    doc.lines().map(str::trim).find(|line| !line.is_empty())
}

fn service_json(service: &ServiceDescriptor) -> Value {
    let entrypoints: Vec<_> = service.methods.iter().map(method_json).collect();
    json!({
        "name": service.name,
        "doc": service.doc,
        "wire": if service.nameko_wire { "nameko" } else { "kinoko" },
        "max_workers": service.max_workers,
        "entrypoints": entrypoints,
    })
}

fn method_json(method: &MethodInfo) -> Value {
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
        "kind": "rpc",
        "name": method.name,
        "doc": method.doc,
        "signature": signature(method),
        "params": params.collect::<Vec<_>>(),
        "returns": method.returns,
        "error": method.error,
        "timeout_ms": method.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        "max_workers": method.max_workers,
    })
}
