//! Everything that is counted, as plain data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{EntrypointKind, Failure, HistogramSnapshot};
use crate::protocol::Name;

/// What a program has counted since its start.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) entrypoints: Vec<EntrypointSnapshot>,
    pub(crate) calls: Vec<CallSnapshot>,
    pub(crate) published_confirmed: u64,
    pub(crate) published_unrouted: u64,
    pub(crate) published_failed: u64,
    pub(crate) reconnects: u64,
}

/// The workers of one entrypoint.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EntrypointSnapshot {
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) kind: EntrypointKind,
    /// What HTTP knows it by: verb and path.
    pub(crate) route: Option<(&'static str, &'static str)>,
    /// The same in one: `GET /orders/{id}`.
    #[serde(skip)]
    pub(crate) route_label: Option<String>,
    /// How many ended in which way.
    pub(crate) ended: BTreeMap<&'static str, u64>,
    /// Those that run or wait for a slot.
    pub(crate) in_flight: u64,
    pub(crate) redelivered: u64,
    pub(crate) retries: u64,
    pub(crate) dead_letters: u64,
    pub(crate) duration: HistogramSnapshot,
    pub(crate) queue_wait: HistogramSnapshot,
    pub(crate) last_failure: Option<Failure>,
}

/// The calls of one method of another service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CallSnapshot {
    #[serde(serialize_with = "text")]
    pub(crate) service: Name,
    #[serde(serialize_with = "text")]
    pub(crate) method: Name,
    pub(crate) ended: BTreeMap<&'static str, u64>,
    pub(crate) in_flight: u64,
    pub(crate) duration: HistogramSnapshot,
}

fn text<S: serde::Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}
