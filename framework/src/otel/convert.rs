//! Spans by OpenTelemetry's conventions for RPC, messaging and HTTP.

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Link, SpanContext, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::observe::{Delivered, Ended, EntrypointKind, Span, SpanKind, Subject, TraceContext};

pub(super) fn convert(span: &Span, messaging: &'static str) -> SpanData {
    let mut links = SpanLinks::default();
    links.links = span.links.iter().map(|link| Link::new(context(*link, true), Vec::new(), 0)).collect();
    SpanData {
        span_context: context(span.context, false),
        parent_span_id: span.parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_be_bytes())),
        parent_span_is_remote: matches!(span.subject, Subject::Worker { .. }),
        span_kind: kind(span.kind),
        name: span.name().into(),
        start_time: span.started,
        end_time: span.started + span.duration,
        attributes: attributes(span, messaging),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: status(span),
        instrumentation_scope: InstrumentationScope::builder("kinoko").with_version(env!("CARGO_PKG_VERSION")).build(),
    }
}

fn context(context: TraceContext, is_remote: bool) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(context.trace_id.to_be_bytes()),
        SpanId::from_bytes(context.span_id.to_be_bytes()),
        if context.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() },
        is_remote,
        TraceState::default(),
    )
}

fn kind(kind: SpanKind) -> opentelemetry::trace::SpanKind {
    use opentelemetry::trace::SpanKind as Theirs;
    match kind {
        SpanKind::Server => Theirs::Server,
        SpanKind::Client => Theirs::Client,
        SpanKind::Producer => Theirs::Producer,
        SpanKind::Consumer => Theirs::Consumer,
        SpanKind::Internal => Theirs::Internal,
    }
}

/// An error that the method lists, and one that the caller is to blame for, is none of the service's; to a client it is one.
fn status(span: &Span) -> Status {
    let is_error = match span.kind {
        SpanKind::Client | SpanKind::Producer => span.ended != Ended::Ok,
        SpanKind::Server | SpanKind::Consumer | SpanKind::Internal => span.ended.is_failure(),
    };
    if is_error { Status::error(span.ended.name()) } else { Status::Unset }
}

fn attributes(span: &Span, messaging: &'static str) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new("kinoko.outcome", span.ended.name())];
    if span.ended != Ended::Ok {
        let error = span.error.clone().unwrap_or_else(|| span.ended.name().into());
        attributes.push(KeyValue::new("error.type", error));
    }
    match &span.subject {
        Subject::Worker { entrypoint, message, call_id, attempt, waited, status } => {
            attributes.extend([
                KeyValue::new("kinoko.entrypoint", entrypoint.kind.name()),
                KeyValue::new("kinoko.call_id", call_id.clone()),
                KeyValue::new("kinoko.attempt", i64::from(*attempt)),
                KeyValue::new("kinoko.queue_wait_ms", waited.as_secs_f64() * 1e3),
                KeyValue::new("code.function.name", entrypoint.method),
            ]);
            match (entrypoint.kind, entrypoint.route) {
                (EntrypointKind::Http, Some((verb, path))) => {
                    attributes.push(KeyValue::new("http.request.method", verb));
                    attributes.push(KeyValue::new("http.route", path));
                    attributes
                        .extend(status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
                }
                (EntrypointKind::Rpc | EntrypointKind::Websocket, _) => {
                    call(&mut attributes, entrypoint.service, entrypoint.method);
                }
                (EntrypointKind::Grpc, Some((service, method))) => rpc(&mut attributes, "grpc", service, method),
                _ => {}
            }
            if let Some(message) = message {
                received(&mut attributes, message, messaging);
            }
        }
        Subject::Call { system, service, method } => rpc(&mut attributes, system, service, method),
        Subject::Publish { exchange, routing_key, message_id } => {
            attributes.extend([
                KeyValue::new("messaging.system", messaging),
                KeyValue::new("messaging.operation.name", "send"),
                KeyValue::new("messaging.operation.type", "send"),
                KeyValue::new("messaging.destination.name", exchange.to_string()),
                KeyValue::new("messaging.rabbitmq.destination.routing_key", routing_key.to_string()),
            ]);
            attributes.extend(message_id.as_ref().map(|id| KeyValue::new("messaging.message.id", id.to_string())));
        }
    }
    attributes
}

fn call(attributes: &mut Vec<KeyValue>, service: &str, method: &str) {
    rpc(attributes, "kinoko", service, method);
}

fn rpc(attributes: &mut Vec<KeyValue>, system: &'static str, service: &str, method: &str) {
    attributes.extend([
        KeyValue::new("rpc.system", system),
        KeyValue::new("rpc.service", service.to_owned()),
        KeyValue::new("rpc.method", method.to_owned()),
    ]);
}

fn received(attributes: &mut Vec<KeyValue>, message: &Delivered, messaging: &'static str) {
    attributes.extend([
        KeyValue::new("messaging.system", messaging),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", message.exchange.to_string()),
        KeyValue::new("messaging.rabbitmq.destination.routing_key", message.routing_key.to_string()),
        KeyValue::new("messaging.message.body.size", i64::try_from(message.bytes).unwrap_or(i64::MAX)),
    ]);
    let id = message.message_id.as_ref();
    attributes.extend(id.map(|id| KeyValue::new("messaging.message.id", id.to_string())));
}
