//! Context as it travels: Nameko's `nameko.*` headers, the call-id stack, and the properties of the short path.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{Headers, Name, Properties, Value};

/// The trace that a message belongs to, as W3C names and writes it.
pub(crate) const TRACE_PARENT: &str = "traceparent";
/// The same where a Python service passed it on as context data: any header that it gets, or Nameko's OpenTelemetry.
const NAMEKO_TRACE_PARENT: &str = "nameko.traceparent";
/// What travels beside it, as it came.
pub(crate) const TRACE_COMPANIONS: [&str; 2] = ["tracestate", "baggage"];

/// What Nameko puts before each key of the context data.
pub(crate) const PREFIX: &str = "nameko.";
/// The header of the call-id stack.
pub(crate) const STACK_HEADER: &str = "nameko.call_id_stack";
/// The header of the caller's token.
pub(crate) const TOKEN_HEADER: &str = "nameko.auth_token";
/// The header under which a request may be repeated without being done twice.
pub(crate) const IDEMPOTENCY_KEY: &str = "kinoko.idempotency_key";
/// Where nameko-amqp-retry keeps the routing key of a request that it sends again, straight to the service's queue.
const RETRIED_HEADER: &str = "nameko.rpc_method_id";
/// AMQP's limit for a short string, which `app_id` is.
const SHORT_STRING_BYTES: usize = 255;
/// How many parents a stack names at most, Nameko's `parent_calls_tracked`.
pub(crate) const PARENT_CALLS_TRACKED: usize = 10;

/// A key or a user's id, of which an empty one is none. Python may send a number.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}

/// `{service}.{method}.{uuid}`, as Nameko writes it.
pub(crate) fn call_id(service: &str, method: &str) -> String {
    let mut buffer = Uuid::encode_buffer();
    let uuid = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    [service, ".", method, ".", uuid].concat()
}

/// The id of a call made outside any worker, after what starts all ids of one client.
pub(crate) fn standalone_call_id(client: &str) -> String {
    let mut buffer = Uuid::encode_buffer();
    [client, ".", Uuid::new_v4().hyphenated().encode_lower(&mut buffer)].concat()
}

/// The call ids that led here, oldest first; empty where the caller sent none.
fn read_stack(properties: &Properties, short_path: bool) -> Vec<String> {
    if let Some(stack) = properties.app_id.as_ref().filter(|_| short_path)
        && !stack.is_empty()
    {
        return stack.split(',').map(str::to_owned).collect();
    }
    match properties.headers.get(STACK_HEADER) {
        Some(Value::Array(ids)) => ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// The same, with the id that a call from outside any worker has on the short path: formed here rather than sent.
pub(crate) fn parent_call_ids(properties: &Properties, short_path: bool) -> Vec<String> {
    let stack = read_stack(properties, short_path);
    match &properties.correlation_id {
        Some(id) if short_path && stack.is_empty() && properties.kind.is_some() => {
            vec![format!("standalone_rpc_client.{id}")]
        }
        _ => stack,
    }
}

/// Writes the stack: into one string property where only kinoko peers read it and it fits, else as Nameko's header.
///
/// A header table costs the broker about a tenth of a call, a string property nothing.
pub(crate) fn write_stack(properties: &mut Properties, stack: Vec<String>, short_path: bool) {
    if stack.is_empty() {
        return;
    }
    if short_path && !stack.iter().any(|id| id.contains(',')) {
        let joined = stack.join(",");
        if joined.len() <= SHORT_STRING_BYTES {
            properties.app_id = Some(joined.into());
            return;
        }
    }
    properties.headers.set(STACK_HEADER, stack);
}

/// The trace that a message belongs to.
pub(crate) fn trace_parent(properties: &Properties, short_path: bool) -> Option<&str> {
    if let Some(trace_parent) = properties.message_id.as_deref().filter(|_| short_path) {
        return Some(trace_parent);
    }
    let headers = &properties.headers;
    [TRACE_PARENT, NAMEKO_TRACE_PARENT].iter().find_map(|name| headers.get(name)?.as_str())
}

/// Writes it: into a string property where only kinoko peers read it, as the stack is; else as the header that everybody knows.
pub(crate) fn write_trace_parent(properties: &mut Properties, trace_parent: &str, short_path: bool) {
    if short_path {
        properties.message_id = Some(Arc::<str>::from(trace_parent).into());
    } else {
        properties.headers.set(TRACE_PARENT, trace_parent);
    }
}

/// Writes a header: the caller's token into a string property where only kinoko peers read it and it fits, as the stack is.
pub(crate) fn write_header(properties: &mut Properties, name: Name, value: &Value, short_path: bool) {
    if name == TOKEN_HEADER {
        // An earlier one, of the worker that calls.
        properties.cluster_id = None;
        if let Value::String(token) = value
            && short_path
            && (1..=SHORT_STRING_BYTES).contains(&token.len())
        {
            properties.cluster_id = Some(Arc::<str>::from(token.as_str()).into());
            return;
        }
    }
    properties.headers.set(name, value.clone());
}

/// Moves the token to where context data is. For what came on the short path alone: elsewhere the property is its sender's own.
pub(crate) fn unfold_token(properties: &mut Properties) {
    if let Some(token) = properties.cluster_id.take().filter(|token| !token.is_empty()) {
        properties.headers.set(Name::from_static(TOKEN_HEADER), &*token);
    }
}

/// The context data among a message's headers: what starts with `nameko.`, without the prefix and without what is the call's own.
pub(crate) fn context_data(headers: &Headers) -> impl Iterator<Item = (&str, &Value)> {
    headers.iter().filter_map(|(key, value)| {
        let own = *key == STACK_HEADER || *key == RETRIED_HEADER || *key == NAMEKO_TRACE_PARENT;
        Some((key.strip_prefix(PREFIX).filter(|_| !own)?, value))
    })
}

/// The method that a request on Nameko's path asks for.
pub(crate) fn requested_method<'a>(routing_key: &'a str, headers: &'a Headers, service: &str) -> &'a str {
    if let Some((_, method)) = routing_key.split_once('.') {
        return method;
    }
    // Through the default exchange, with the queue for a routing key: sent again by nameko-amqp-retry.
    let retried = headers.get(RETRIED_HEADER).and_then(Value::as_str);
    retried.and_then(|key| key.strip_prefix(service)?.strip_prefix('.')).unwrap_or(routing_key)
}

/// What is left of a request's time, at `now_ms` since the Unix epoch: its budget less its age, where the clocks agree enough for an age to
/// make sense. Zero: it is too late.
///
/// The broker drops what is older than its budget, so that a request which seems older shows that the clocks disagree. Except one that may
/// have waited in this process, whose threads were held up: in time before that, it is too late by now.
pub(crate) fn remaining_budget(properties: &Properties, now_ms: u64, waited: Duration) -> Option<Duration> {
    let budget = properties.expiration?;
    let age = properties.timestamp_ms.and_then(|sent| now_ms.checked_sub(sent)).map(Duration::from_millis);
    Some(match age {
        Some(age) if age <= budget => budget - age,
        Some(age) if age.saturating_sub(waited) <= budget => Duration::ZERO,
        _ => budget,
    })
}

/// Milliseconds since the Unix epoch.
pub(crate) fn unix_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(budget_ms: u64, sent_ms: u64) -> Properties {
        Properties {
            expiration: Some(Duration::from_millis(budget_ms)),
            timestamp_ms: Some(sent_ms),
            ..Properties::default()
        }
    }

    #[test]
    fn age_is_ignored_where_clocks_plainly_disagree() {
        let left = |now| remaining_budget(&properties(1_000, 50_000), now, Duration::ZERO).unwrap().as_millis();
        assert_eq!(left(50_400), 600);
        assert_eq!(left(49_000), 1_000, "sent in the future");
        assert_eq!(left(90_000), 1_000, "older than it can be");
    }

    #[test]
    fn what_has_waited_here_for_too_long_is_late() {
        let left = |now, waited| {
            remaining_budget(&properties(1_000, 50_000), now, Duration::from_millis(waited)).unwrap().as_millis()
        };
        assert_eq!(left(50_400, 300), 600);
        assert_eq!(left(65_000, 15_000), 0, "in time when the threads were held up");
        assert_eq!(left(65_000, 14_000), 0);
        assert_eq!(left(65_000, 13_000), 1_000, "too old even then: the clocks disagree");
        assert_eq!(left(49_000, 15_000), 1_000, "sent in the future");
    }

    #[test]
    fn a_stack_survives_either_form() {
        let stack: Vec<String> = (0..11).map(|depth| call_id("orders", &format!("step_{depth}"))).collect();
        for (short, count) in [(true, 2), (true, 11), (false, 2)] {
            let mut properties = Properties::default();
            write_stack(&mut properties, stack[..count].to_vec(), short);
            assert_eq!(properties.headers.is_empty(), short && count == 2);
            assert_eq!(read_stack(&properties, short), stack[..count]);
        }
    }
}
