//! What is logged of a worker: its span, and at TRACE its arguments, without those that are secret.

use crate::{
    codec::Format,
    context::WorkerContext,
    protocol::{Param, Value},
    service::MethodInfo,
};

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

/// Hides what is sensitive, and where anything is, also what fits no parameter: it may be a secret under a misspelt name.
fn redact(method: &MethodInfo, request: &mut Value) {
    if !method.params.iter().any(|param| param.sensitive) {
        return;
    }
    let Some(request) = request.as_object_mut() else {
        *request = Value::from(REDACTED);
        return;
    };
    for (section, value) in request {
        match (&**section, value) {
            ("args", Value::Array(args)) => {
                for (place, argument) in args.iter_mut().enumerate() {
                    hide(argument, method.params.get(place));
                }
            }
            ("kwargs", Value::Object(kwargs)) => {
                for (name, argument) in kwargs {
                    hide(argument, method.params.iter().find(|param| param.name == name));
                }
            }
            (_, other) => *other = Value::from(REDACTED),
        }
    }
}

fn hide(argument: &mut Value, param: Option<&Param>) {
    if param.is_none_or(|param| param.sensitive) {
        *argument = Value::from(REDACTED);
    }
}

const REDACTED: &str = "***";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::MethodShapes;

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
            shapes: MethodShapes::UNKNOWN,
        };
        for (mut request, expected) in [
            (json!({"args": ["ada", "x"], "kwargs": {}}), json!({"args": ["ada", "***"], "kwargs": {}})),
            (
                json!({"args": ["ada"], "kwargs": {"password": "x"}}),
                json!({"args": ["ada"], "kwargs": {"password": "***"}}),
            ),
            (json!({"args": [], "kwargs": {}}), json!({"args": [], "kwargs": {}})),
            (
                json!({"args": ["ada", "x", "x"], "kwargs": "x"}),
                json!({"args": ["ada", "***", "***"], "kwargs": "***"}),
            ),
            (
                json!({"kwargs": {"pasword": "x", "user": "ada"}, "y": "x"}),
                json!({"kwargs": {"pasword": "***", "user": "ada"}, "y": "***"}),
            ),
            (json!(["x"]), json!("***")),
        ] {
            redact(&method, &mut request);
            assert_eq!(request, expected);
        }
    }
}
