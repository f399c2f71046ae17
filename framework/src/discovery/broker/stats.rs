//! How this program does, as it tells it.

use serde_json::json;

use crate::{
    container::{Program, ServiceState},
    observe::EntrypointSnapshot,
    protocol::Value,
    resilience::PolicySight,
    transport::ConnectionState,
};

/// Adds to a presence what was counted of the services in it, which are those that are meant.
pub(super) fn add(program: &Program, meant: &[ServiceState], answer: &mut Value) {
    let snapshot = program.observer().snapshot();
    let (address, state) = program.broker();
    let (state, reason) = state_of(&state);
    answer["pending_calls"] = program.pending_calls().into();
    answer["broker"] =
        json!({ "address": address, "state": state, "reason": reason, "reconnects": snapshot.reconnects });
    answer["published"] = json!({
        "confirmed": snapshot.published_confirmed,
        "unrouted": snapshot.published_unrouted,
        "failed": snapshot.published_failed,
    });
    // Those of functions are of no service: all of them.
    let others: Vec<_> = program.services().iter().map(|service| service.name).collect();
    let is_meant = |name| meant.iter().any(|service| service.name == name) || !others.contains(&name);
    let policies = program.policies().look();
    answer["policies"] = policies.iter().filter(|policy| is_meant(policy.service)).map(self::policy).collect();
    for service in answer["services"].as_array_mut().into_iter().flatten() {
        let of_service = snapshot.entrypoints.iter().filter(|entrypoint| service["name"] == entrypoint.service);
        let entrypoints: Vec<Value> = of_service.filter_map(entrypoint).collect();
        service["entrypoints"] = entrypoints.into();
    }
}

/// Since the start: whoever asks again knows what has come meanwhile.
fn policy(sight: &PolicySight) -> Value {
    let circuit = sight.circuit.as_ref();
    json!({
        "service": sight.service,
        "name": sight.name,
        "state": circuit.map(|circuit| circuit.state.name()),
        "opened": circuit.map(|circuit| circuit.opened),
        "ended": sight.counted.calls(),
    })
}

/// The service is named around it.
fn entrypoint(snapshot: &EntrypointSnapshot) -> Option<Value> {
    let mut value = serde_json::to_value(snapshot).ok()?;
    value.as_object_mut()?.remove("service");
    Some(value)
}

fn state_of(state: &ConnectionState) -> (&'static str, Option<&str>) {
    match state {
        ConnectionState::Connecting(reason) => ("connecting", Some(reason)),
        ConnectionState::Connected => ("connected", None),
        ConnectionState::Blocked(reason) => ("blocked", Some(reason)),
        ConnectionState::Refused(reason) => ("refused", Some(reason)),
        ConnectionState::Closed => ("closed", None),
    }
}
