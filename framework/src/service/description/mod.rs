//! What a service is, as data and as text: for `list`, and for whoever asks over the broker.

mod fired;
mod grpc;
mod routes;

use serde_json::json;

#[cfg(feature = "cli")]
pub(crate) use self::{
    fired::{consumer, event, timer},
    grpc::grpc,
    routes::route,
};
use super::{MethodInfo, ServiceDescriptor, millis};
use crate::protocol::{Param, Value};

/// The service, with each of its entrypoints.
pub(crate) fn describe(service: &ServiceDescriptor) -> Value {
    let who = |index: usize, mut entrypoint: Value| {
        if let Some(access) = service.access.to_json(index) {
            entrypoint["access"] = access;
        }
        entrypoint
    };
    let methods = service.methods.iter().map(|method| who(method.index, method_json("rpc", method)));
    let sockets = service.sockets.iter().map(|method| who(method.index, method_json("websocket", method)));
    let routes = service.routes.iter().map(|route| who(route.index, routes::route_json(route)));
    let events = service.events.iter().map(|handler| who(handler.index, fired::event_json(service, handler)));
    let consumers = service.consumers.iter().map(|consumer| who(consumer.index, fired::consumer_json(consumer)));
    let timers = service.timers.iter().map(fired::timer_json);
    let grpc = service.grpc.iter().map(|method| who(method.index, grpc::grpc_json(method)));
    let entrypoints: Vec<_> =
        methods.chain(routes).chain(sockets).chain(grpc).chain(events).chain(consumers).chain(timers).collect();
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
            "default": default(param),
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

/// `hello(name: String, times: u32 = 1) -> String, or GreetingError`
pub(crate) fn signature(method: &MethodInfo) -> String {
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
    match default(param) {
        Some(default) => format!("{}: {} = {default}", param.name, param.ty),
        None => format!("{}: {}", param.name, param.ty),
    }
}

#[cfg(feature = "cli")]
pub(crate) fn first_line(doc: &str) -> Option<&str> {
    doc.lines().map(str::trim).find(|line| !line.is_empty())
}

/// What an argument is where nobody gives it. That of a sensitive one is nobody's business.
fn default(param: &Param) -> Option<&'static str> {
    if param.sensitive { param.default.map(|_| "***") } else { param.default }
}
