//! This program, as it tells of itself. No setting, no password, no argument of any call is in it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    presence::{Presence, ServicePresence},
    topic::means,
};
use crate::container::{Program, ServiceState, program_name};

/// What does not change while it runs.
#[derive(Debug)]
pub(super) struct About {
    pub(super) instance: String,
    version: Option<String>,
    host: Option<String>,
    started_at: Timestamp,
    started: Instant,
}

impl About {
    pub(super) fn new(instance: String, version: Option<String>) -> Self {
        Self { instance, version, host: host(), started_at: Timestamp::now(), started: Instant::now() }
    }

    /// Its services that are meant, as they are at the moment.
    pub(super) fn services(&self, program: &Program, of: &str) -> Vec<ServiceState> {
        let mut services = program.services();
        services.retain(|service| means(of, service.name, &self.instance));
        services
    }

    pub(super) fn presence(&self, program: &Program, services: &[ServiceState], ttl: Duration) -> Presence {
        let services = services.iter().map(|service| ServicePresence {
            name: service.name.to_owned(),
            busy_workers: service.busy.0 as u64,
            max_workers: service.busy.1 as u64,
        });
        Presence {
            instance: self.instance.clone(),
            program: program_name(),
            version: self.version.clone(),
            kinoko: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.host.clone(),
            pid: std::process::id(),
            started_at: self.started_at.to_string(),
            uptime_ms: crate::service::millis(self.started.elapsed()),
            ready: program.readiness().is_ready(),
            ttl_ms: crate::service::millis(ttl),
            services: services.collect(),
        }
    }
}

/// The name of this machine, or of the container, as the system tells it.
fn host() -> Option<String> {
    let from_system = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let from_environment = || ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let name = from_system().or_else(from_environment)?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
