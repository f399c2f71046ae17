//! The instances of a service, as Consul knows them: blocking queries, one after the other.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Consul, client::Answer};
use crate::{
    Error, ErrorKind, Result,
    discovery::{Discovery, Found, Instance, Target},
};

/// Two queries begin at least this far apart: what changes all the time must not keep an agent busy.
const PAUSE: Duration = Duration::from_millis(100);
/// How long after an error it is asked again, at first and at most.
const RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// How long an agent that is back may take to hear again of those that it has lost. Programs tell it after 2 s at most.
const RETOLD: Duration = Duration::from_secs(10);

/// A service in Consul.
pub(in crate::discovery) struct InConsul {
    pub(in crate::discovery) consul: Arc<Consul>,
    pub(in crate::discovery) name: String,
    pub(in crate::discovery) tag: Option<String>,
    pub(in crate::discovery) datacenter: Option<String>,
}

#[async_trait]
impl Discovery for InConsul {
    async fn follow(&self, _: &Target, found: Found) {
        let (mut index, mut retry) = (0, RETRY);
        let mut away: Option<Instant> = None;
        loop {
            let began = Instant::now();
            match self.ask(index).await {
                Ok((instances, _)) if instances.is_empty() && away.is_some_and(|since| since.elapsed() < RETOLD) => {
                    found.stale("Consul is back, and was not told of any instance yet");
                    sleep(RETRY).await;
                }
                Ok((instances, next)) => {
                    found.set(instances);
                    away = None;
                    // One that went back belongs to another past, such as a snapshot's: what it waits for may never come.
                    index = if next < index { 0 } else { next };
                    retry = RETRY;
                    sleep_until(began + PAUSE).await;
                }
                Err(error) => {
                    found.stale(error.to_string());
                    // The agent may come back with other numbers.
                    index = 0;
                    away = Some(Instant::now());
                    // Not all who lost it come back in one moment.
                    sleep(retry.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    retry = (retry * 2).min(LONGEST_RETRY);
                }
            }
        }
    }
}

impl InConsul {
    async fn ask(&self, index: u64) -> Result<(Vec<Instance>, u64)> {
        // `stale`: any server answers, without a leader too. `near` puts those first that the agent reaches soonest.
        let mut query = vec![("passing", "true"), ("stale", ""), ("near", "_agent")];
        query.extend(self.tag.as_deref().map(|tag| ("tag", tag)));
        query.extend(self.datacenter.as_deref().or(self.consul.datacenter()).map(|datacenter| ("dc", datacenter)));
        let Answer { body, index, knows_leader } =
            self.consul.watch(&format!("/v1/health/service/{}", self.name), &query, index).await?;
        let entries: Vec<Health> = serde_json::from_value(body)
            .map_err(|error| Error::new(ErrorKind::Unavailable, format!("Consul's answer cannot be read: {error}")))?;
        if entries.is_empty() && !knows_leader {
            // A server that has just begun knows nothing of what the others know.
            return Err(Error::new(ErrorKind::Unavailable, "Consul has no leader, and knows of no instance"));
        }
        Ok((entries.into_iter().map(Health::instance).collect(), index))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    node: Node,
    service: Registered,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Registered {
    #[serde(rename = "ID")]
    id: String,
    address: String,
    port: u16,
    // Both are null where there are none.
    tags: Option<Vec<String>>,
    meta: Option<BTreeMap<String, String>>,
}

impl Health {
    fn instance(self) -> Instance {
        let Registered { id, address, port, tags, meta } = self.service;
        let host = if address.is_empty() { self.node.address } else { address };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let (tags, meta) = (tags.unwrap_or_default(), meta.unwrap_or_default());
        Instance {
            id,
            address: format!("{host}:{port}"),
            tls: meta.get("scheme").is_some_and(|scheme| scheme == "https"),
            version: meta.get("version").cloned(),
            tags,
            meta,
        }
    }
}
