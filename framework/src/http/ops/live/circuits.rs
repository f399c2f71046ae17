//! Policies of all programs on the broker: those of one service and name are one, whatever instances have it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    discovery::{PolicyStats, Presence, Stats},
    resilience::BreakerState,
};

/// How many policies are shown.
const MOST_SHOWN: usize = 200;
/// How many instances of one are named.
const MOST_NAMED: usize = 10;

/// What is told of one policy, of all instances since their start.
#[derive(Default)]
struct Circuits<'a> {
    instances: u64,
    /// How many circuits are in each state, in the order of [`BreakerState::ALL`].
    states: [u64; BreakerState::ALL.len()],
    calls: u64,
    failed: u64,
    refused: u64,
    not_closed: Vec<(&'a Presence, BreakerState)>,
}

/// What was heard; what is open comes first. `own` is this instance.
pub(super) fn told(heard: &[(Presence, Stats)], own: &str) -> Value {
    let mut policies: BTreeMap<(&str, &str), Circuits<'_>> = BTreeMap::new();
    for (presence, stats) in heard {
        for policy in &stats.policies {
            policies.entry((&policy.service, &policy.name)).or_default().add(presence, policy);
        }
    }
    let mut policies: Vec<_> = policies.iter().collect();
    policies.sort_by_key(|(_, circuits)| !circuits.is_in(&[BreakerState::Open, BreakerState::ForcedOpen]));
    let shown = policies.iter().take(MOST_SHOWN).map(|((service, name), circuits)| {
        let mut told = circuits.told(own);
        (told["service"], told["name"]) = ((*service).into(), (*name).into());
        told
    });
    json!({ "number": policies.len(), "shown": shown.collect::<Vec<_>>() })
}

impl<'a> Circuits<'a> {
    fn add(&mut self, presence: &'a Presence, policy: &PolicyStats) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.instances, 1);
        add(&mut self.calls, policy.ended(&["success", "failure", "timeout"]));
        add(&mut self.failed, policy.ended(&["failure", "timeout"]));
        add(&mut self.refused, policy.ended(&["circuit_open", "bulkhead_full", "rate_limited"]));
        let state = BreakerState::ALL.into_iter().find(|state| policy.state.as_deref() == Some(state.name()));
        // What a later version calls its states, this one does not know.
        let Some(state) = state else { return };
        add(&mut self.states[state as usize], 1);
        if state != BreakerState::Closed {
            self.not_closed.push((presence, state));
        }
    }

    fn is_in(&self, states: &[BreakerState]) -> bool {
        states.iter().any(|state| self.states[*state as usize] > 0)
    }

    fn told(&self, own: &str) -> Value {
        let states: Map<String, Value> = BreakerState::ALL
            .iter()
            .zip(self.states)
            .map(|(state, count)| (state.name().into(), count.into()))
            .collect();
        let not_closed = self.not_closed.iter().take(MOST_NAMED).map(|(presence, state)| {
            json!({
                "state": state.name(),
                "program": presence.program,
                "host": presence.host,
                "pid": presence.pid,
                "is_this": presence.instance == own,
            })
        });
        json!({
            "instances": self.instances,
            "states": states,
            "not_closed": not_closed.collect::<Vec<_>>(),
            "calls": self.calls,
            "failed": self.failed,
            "refused": self.refused,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(instance: usize, policies: &Value) -> (Presence, Stats) {
        let told = json!({
            "instance": instance.to_string(), "program": "shop", "kinoko": "0.1.0", "host": "web", "pid": instance,
            "started_at": "", "uptime_ms": 1, "ready": true, "ttl_ms": 1, "services": [], "policies": policies,
        });
        Stats::read(told.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn instances_of_one_policy_are_one_and_what_is_open_comes_first() {
        let bank = |state: Value, success: u64| json!({"service": "shop", "name": "bank", "state": state, "ended": {"success": success, "failure": 2, "timeout": 1, "circuit_open": 4}});
        let mail = json!({"service": "shop", "name": "a_mail", "state": null, "ended": {"cancelled": 3}});
        let heard = [
            answer(1, &json!([bank(json!("closed"), 10), mail])),
            answer(2, &json!([bank(json!("open"), u64::MAX)])),
            answer(3, &json!([bank(json!("in pieces"), 0)])),
            answer(4, &Value::Array(Vec::new())),
        ];
        let told = told(&heard, "2");
        assert_eq!(told["number"], 2);
        let first = &told["shown"][0];
        assert_eq!(
            (&first["service"], &first["name"], &first["instances"]),
            (&json!("shop"), &json!("bank"), &json!(3))
        );
        assert_eq!(
            first["states"],
            json!({"closed": 1, "open": 1, "half_open": 0, "forced_open": 0, "forced_closed": 0})
        );
        assert_eq!(
            first["not_closed"],
            json!([{"state": "open", "program": "shop", "host": "web", "pid": 2, "is_this": true}])
        );
        assert_eq!((&first["calls"], &first["failed"], &first["refused"]), (&json!(u64::MAX), &json!(9), &json!(12)));
        assert_eq!((&told["shown"][1]["name"], &told["shown"][1]["calls"]), (&json!("a_mail"), &json!(0)));
    }

    #[test]
    fn a_fleet_without_bounds_is_told_within_some() {
        let policy =
            |number| json!({"service": "s", "name": format!("{number:04}\u{1b}{}", "x".repeat(300)), "state": "open"});
        let many: Value = (0..1_100).map(policy).collect();
        let heard: Vec<_> = (0..12).map(|instance| answer(instance, &many)).collect();
        let told = told(&heard, "");
        assert_eq!(told["shown"].as_array().unwrap().len(), MOST_SHOWN);
        assert_eq!(told["shown"][0]["not_closed"].as_array().unwrap().len(), MOST_NAMED);
        assert!(told.to_string().len() < MOST_SHOWN * 2_000, "{}", told.to_string().len());
        assert!(!told.to_string().contains("\\u001b"));
    }
}
