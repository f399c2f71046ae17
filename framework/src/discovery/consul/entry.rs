//! What Consul is told of one port of one service.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde::Serialize;

use super::settings::{Check, RegisterSettings};
use crate::discovery::{Protocol, ports::Port};

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) name: String,
    tags: Vec<String>,
    meta: BTreeMap<String, String>,
    address: String,
    port: u16,
    pub(super) check: CheckEntry,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CheckEntry {
    #[serde(rename = "CheckID")]
    pub(super) id: String,
    name: &'static str,
    #[serde(rename = "TTL", skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    #[serde(rename = "HTTP", skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    #[serde(rename = "GRPC", skip_serializing_if = "Option::is_none")]
    grpc: Option<String>,
    #[serde(rename = "GRPCUseTLS", skip_serializing_if = "std::ops::Not::not")]
    grpc_use_tls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    /// What it is until somebody has looked.
    status: &'static str,
    deregister_critical_service_after: String,
}

/// What an agent is told of how an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Word {
    pub(super) status: &'static str,
    pub(super) output: String,
}

/// What is the same for all entries of a program.
pub(super) struct Program<'a> {
    pub(super) settings: &'a RegisterSettings,
    pub(super) instance: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) operations: Option<SocketAddr>,
}

impl Program<'_> {
    /// The entry of one service at one port. Without a check that fits it falls back to the TTL's.
    pub(super) fn entry(&self, service: &str, port: Port) -> Entry {
        let settings = self.settings;
        let mut tags = vec![port.protocol.name().to_owned()];
        tags.extend(settings.tags.iter().cloned());
        let mut meta = settings.meta.clone();
        meta.extend(self.version.map(|version| ("version".to_owned(), version.to_owned())));
        if port.tls {
            meta.insert("scheme".to_owned(), "https".to_owned());
        }
        let id = format!("{service}-{}-{}", self.instance, port.protocol);
        Entry {
            name: service.to_owned(),
            tags,
            meta,
            address: self.host(port.address),
            port: port.address.port(),
            check: self.check(&id, port),
            id,
        }
    }

    fn check(&self, id: &str, port: Port) -> CheckEntry {
        let settings = self.settings;
        let interval = Some(go(settings.check_interval));
        let entry = CheckEntry {
            id: format!("{id}-check"),
            name: "ready",
            status: "critical",
            deregister_critical_service_after: go(settings.deregister_after),
            ..CheckEntry::default()
        };
        let asked = CheckEntry { interval: interval.clone(), timeout: interval.clone(), ..entry.clone() };
        match (settings.check, self.operations) {
            (Check::Http, Some(operations)) => {
                let http = format!("http://{}/health/ready", self.reachable(operations));
                CheckEntry { http: Some(http), ..asked }
            }
            (Check::Grpc, _) if port.protocol == Protocol::Grpc => {
                CheckEntry { grpc: Some(self.reachable(port.address)), grpc_use_tls: port.tls, ..asked }
            }
            _ => CheckEntry { ttl: interval, ..entry },
        }
    }

    /// Where others find it: empty is the agent's own address.
    fn host(&self, address: SocketAddr) -> String {
        match &self.settings.advertise {
            Some(host) => host.clone(),
            None if address.ip().is_unspecified() => String::new(),
            None => address.ip().to_string(),
        }
    }

    /// Where the agent finds it, which is on the same machine where nothing else is said.
    fn reachable(&self, address: SocketAddr) -> String {
        let host = match self.host(address) {
            host if host.is_empty() => "127.0.0.1".to_owned(),
            host if host.contains(':') => format!("[{host}]"),
            host => host,
        };
        format!("{host}:{}", address.port())
    }
}

impl CheckEntry {
    /// Whether the instance itself says how it is.
    pub(super) fn is_ttl(&self) -> bool {
        self.ttl.is_some()
    }
}

/// A duration as Go reads it.
fn go(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
