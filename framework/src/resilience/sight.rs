//! What a policy is like at the moment, for whoever looks.

use super::{
    Policy, PolicySettings,
    bulkhead::BulkheadSight,
    circuit_breaker::CircuitSight,
    stats::{Outcome, StatsSnapshot},
};

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

    /// How many came to this.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.counted.ended[outcome as usize].1
    }
}
