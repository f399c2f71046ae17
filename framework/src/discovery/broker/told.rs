//! How another program does, as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::presence::{Presence, tame};

/// More policies than one program has.
const MOST_POLICIES: usize = 1024;

/// What one program answered.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stats {
    pub(crate) services: Vec<ServiceStats>,
    #[serde(default)]
    pub(crate) policies: Vec<PolicyStats>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ServiceStats {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) entrypoints: Vec<EntrypointStats>,
}

/// The counters of one entrypoint, of one instance.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EntrypointStats {
    pub(crate) method: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) route: Option<(String, String)>,
    #[serde(default)]
    pub(crate) ended: BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) in_flight: u64,
    #[serde(default)]
    pub(crate) retries: u64,
    #[serde(default)]
    pub(crate) dead_letters: u64,
    #[serde(default)]
    pub(crate) duration: Times,
    #[serde(default)]
    pub(crate) last_failure: Option<LastFailure>,
}

/// What a policy of one instance is like.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PolicyStats {
    /// Or the module of a function.
    pub(crate) service: String,
    pub(crate) name: String,
    /// Of its circuit, if it has one.
    #[serde(default)]
    pub(crate) state: Option<String>,
    #[serde(default)]
    pub(crate) ended: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Times {
    #[serde(default)]
    pub(crate) sum_seconds: f64,
    #[serde(default)]
    pub(crate) p99_seconds: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LastFailure {
    pub(crate) at: String,
    #[serde(default)]
    pub(crate) call_id: String,
    #[serde(default)]
    pub(crate) text: String,
}

impl Stats {
    /// Reads what came from anywhere, with its presence; `None` where it is none.
    pub(crate) fn read(body: &[u8]) -> Option<(Presence, Self)> {
        let presence = Presence::read(body)?;
        let mut stats: Self = serde_json::from_slice(body).ok()?;
        stats.services.retain(|service| presence.services.iter().any(|known| known.name == service.name));
        for entrypoint in stats.services.iter_mut().flat_map(|service| &mut service.entrypoints) {
            let texts = [&mut entrypoint.method, &mut entrypoint.kind].into_iter();
            let route = entrypoint.route.iter_mut().flat_map(|(verb, path)| [verb, path]);
            let failure = entrypoint.last_failure.iter_mut();
            let failure = failure.flat_map(|failure| [&mut failure.at, &mut failure.call_id, &mut failure.text]);
            texts.chain(route).chain(failure).for_each(tame);
        }
        stats.policies.truncate(MOST_POLICIES);
        for policy in &mut stats.policies {
            [&mut policy.service, &mut policy.name].into_iter().chain(&mut policy.state).for_each(tame);
        }
        Some((presence, stats))
    }
}

impl EntrypointStats {
    /// How many ended.
    pub(crate) fn total(&self) -> u64 {
        self.ended.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How many ended in one of these ways.
    pub(crate) fn ended(&self, ways: &[&str]) -> u64 {
        sum(&self.ended, ways)
    }
}

impl PolicyStats {
    /// How many came to one of these.
    pub(crate) fn ended(&self, ways: &[&str]) -> u64 {
        sum(&self.ended, ways)
    }
}

fn sum(ended: &BTreeMap<String, u64>, ways: &[&str]) -> u64 {
    ways.iter().filter_map(|way| ended.get(*way)).fold(0, |sum, count| sum.saturating_add(*count))
}
