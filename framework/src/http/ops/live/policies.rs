//! Policies, with what calls under them came to lately.

use std::time::Duration;

use serde_json::Value;

use crate::{
    http::ops::policies::{counts, describe},
    resilience::PolicySight,
};

/// All of them; without `recent` where nobody has looked before.
pub(super) fn told(policies: &[PolicySight], before: Option<(Duration, &[PolicySight])>) -> Vec<Value> {
    let with_recent = |policy: &PolicySight| {
        let mut told = describe(policy);
        if let Some((since, before)) = before {
            told["recent"] = recent(policy, since, before);
        }
        told
    };
    policies.iter().map(with_recent).collect()
}

fn recent(policy: &PolicySight, since: Duration, before: &[PolicySight]) -> Value {
    let (lately, seconds) = (policy.since(before), since.as_secs_f64());
    let (requests, errors) = (lately.requests(), lately.errors());
    let mut told = counts(&lately);
    told["seconds"] = seconds.into();
    told["rate"] = (requests as f64 / seconds.max(f64::MIN_POSITIVE)).into();
    told["error_share"] = if requests == 0 { 0.0.into() } else { (errors as f64 / requests as f64).into() };
    told
}
