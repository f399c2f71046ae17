//! What runs here.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    config::Mode,
    container::{Program, program_name},
    service::{Schedule, ServiceDescriptor},
};

/// What does not change while the program runs.
#[derive(Debug)]
pub(super) struct About {
    /// What people call it.
    name: String,
    version: Option<String>,
    mode: Mode,
    started_at: Timestamp,
}

impl About {
    pub(super) fn new(version: Option<String>, mode: Mode) -> Self {
        Self { name: program_name(), version, mode, started_at: Timestamp::now() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(feature = "metrics")]
    pub(super) fn version(&self) -> Option<String> {
        self.version.clone()
    }

    /// The program alone.
    pub(super) fn brief(&self) -> Value {
        json!({
            "name": self.name,
            "version": self.version,
            "kinoko": env!("CARGO_PKG_VERSION"),
            "mode": self.mode.name(),
            "started_at": self.started_at.to_string(),
        })
    }

    pub(super) fn describe(&self, program: &Program) -> Value {
        let services: Vec<_> = program.descriptors().into_iter().map(service).collect();
        json!({
            "program": {"name": self.name, "version": self.version},
            "kinoko": env!("CARGO_PKG_VERSION"),
            "mode": self.mode.name(),
            "started_at": self.started_at.to_string(),
            "broker": program.broker().0,
            "services": services,
        })
    }
}

fn service(service: &ServiceDescriptor) -> Value {
    let rpc: Vec<_> = service.methods.iter().map(|method| json!({"method": method.name})).collect();
    let events: Vec<_> = service
        .events
        .iter()
        .map(|handler| {
            let events: Vec<_> =
                handler.events.iter().map(|event| json!({"source": event.source, "type": event.name})).collect();
            json!({"method": handler.method, "events": events})
        })
        .collect();
    let consumers: Vec<_> =
        service.consumers.iter().map(|consumer| json!({"method": consumer.method, "queue": consumer.queue})).collect();
    let timers: Vec<_> = service.timers.iter().map(|timer| timer_entry(timer.method, &timer.schedule)).collect();
    let http: Vec<_> = service
        .routes
        .iter()
        .map(|route| json!({"method": route.method, "verb": route.verb, "path": route.path}))
        .collect();
    let grpc: Vec<_> =
        service.grpc.iter().map(|method| json!({"method": method.method, "path": method.path})).collect();
    json!({
        "name": service.name,
        "entrypoints": {
            "rpc": rpc,
            "events": events,
            "consumers": consumers,
            "timers": timers,
            "http": http,
            "grpc": grpc,
        },
    })
}

fn timer_entry(method: &str, schedule: &Schedule) -> Value {
    match schedule {
        Schedule::Every(every) => json!({"method": method, "every_ms": u64::try_from(every.as_millis()).ok()}),
        Schedule::Cron { expression, zone } => json!({"method": method, "cron": expression, "zone": zone}),
    }
}
