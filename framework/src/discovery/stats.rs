//! How this program does, as it tells it.

use serde_json::json;

use crate::{container::Program, observe::EntrypointSnapshot, protocol::Value, transport::ConnectionState};

/// Adds to a presence what was counted of the services in it.
pub(super) fn add(program: &Program, answer: &mut Value) {
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
    for service in answer["services"].as_array_mut().into_iter().flatten() {
        let of_service = snapshot.entrypoints.iter().filter(|entrypoint| service["name"] == entrypoint.service);
        let entrypoints: Vec<Value> = of_service.filter_map(entrypoint).collect();
        service["entrypoints"] = entrypoints.into();
    }
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
