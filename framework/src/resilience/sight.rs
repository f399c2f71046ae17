//! What a policy is like at the moment, for whoever looks.

use super::{Policy, PolicySettings, bulkhead::BulkheadSight, circuit_breaker::CircuitSight, stats::StatsSnapshot};

/// What a policy is like at the moment, and what calls under it have come to since the program began.
#[derive(Debug, Clone)]
pub(crate) struct PolicySight {
    /// The service that has it; empty: the program.
    pub(crate) service: &'static str,
    pub(crate) name: String,
    pub(crate) settings: PolicySettings,
    pub(crate) circuit: Option<CircuitSight>,
    pub(crate) bulkhead: Option<BulkheadSight>,
    pub(crate) counted: StatsSnapshot,
}

impl PolicySight {
    pub(super) fn of(service: &'static str, policy: &Policy) -> Self {
        let (settings, circuit, bulkhead, counted) = policy.look();
        Self { service, name: policy.name().to_owned(), settings, circuit, bulkhead, counted }
    }

    /// What calls under it have come to since policies were looked at before.
    #[cfg(feature = "http")]
    pub(crate) fn since(&self, before: &[Self]) -> StatsSnapshot {
        let same = before.iter().find(|other| (other.service, &other.name) == (self.service, &self.name));
        self.counted.since(same.map(|same| &same.counted))
    }
}
