//! What is logged of a worker: its span, and at TRACE its arguments, without those that are secret.

use crate::{codec::Format, context::WorkerContext, protocol::Value, service::MethodInfo};

/// The span of one worker, where anybody listens: the user's own log lines inside it carry the call id.
pub(crate) fn span(context: &WorkerContext) -> Option<tracing::Span> {
    tracing::enabled!(target: "kinoko::worker", tracing::Level::INFO).then(|| {
        tracing::info_span!(
            target: "kinoko::worker", "worker",
            service = context.service(), method = context.entrypoint(), call_id = context.call_id()
        )
    })
}

/// Larger arguments are not logged: nobody reads them, and as values they take up to 70 times the bytes of the body.
const LOGGED_BYTES: usize = 64 * 1024;

/// Logs a call's arguments at TRACE, those marked `sensitive` as `***`.
pub(crate) fn arguments(method: &MethodInfo, format: &Format, body: &[u8]) {
    if tracing::enabled!(target: "kinoko::worker", tracing::Level::TRACE) {
        if body.len() > LOGGED_BYTES {
            tracing::trace!(target: "kinoko::worker", method = method.name, bytes = body.len(), "arguments too large to log");
            return;
        }
        // What does not decode is refused in a moment, with its own line.
        let Ok(mut request) = format.decode_value(body) else { return };
        redact(method, &mut request);
        tracing::trace!(target: "kinoko::worker", method = method.name, %request, "arguments");
    }
}

fn redact(method: &MethodInfo, request: &mut Value) {
    for (place, param) in method.params.iter().enumerate().filter(|(_, param)| param.sensitive) {
        if let Some(argument) = request.pointer_mut(&format!("/args/{place}")) {
            *argument = Value::from(REDACTED);
        }
        if let Some(argument) = request.get_mut("kwargs").and_then(|kwargs| kwargs.get_mut(param.name)) {
            *argument = Value::from(REDACTED);
        }
    }
}

const REDACTED: &str = "***";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::Param;

    #[test]
    fn sensitive_arguments_are_redacted_by_place_and_by_name() {
        const fn param(name: &'static str, sensitive: bool) -> Param {
            Param { name, ty: "String", default: None, required: true, sensitive }
        }
        let method = MethodInfo {
            index: 0,
            name: "login",
            doc: "",
            params: const { &[param("user", false), param("password", true)] },
            returns: "",
            error: None,
            timeout: None,
            max_workers: None,
        };
        for (mut request, expected) in [
            (json!({"args": ["ada", "x"], "kwargs": {}}), json!({"args": ["ada", "***"], "kwargs": {}})),
            (
                json!({"args": ["ada"], "kwargs": {"password": "x"}}),
                json!({"args": ["ada"], "kwargs": {"password": "***"}}),
            ),
            (json!({"args": [], "kwargs": {}}), json!({"args": [], "kwargs": {}})),
            (json!(["no request"]), json!(["no request"])),
        ] {
            redact(&method, &mut request);
            assert_eq!(request, expected);
        }
    }
}
