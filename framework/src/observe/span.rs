use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;

use super::{Ended, Entrypoint, TraceContext};
use crate::protocol::{Message, Name};

/// Who a span is of, as OpenTelemetry tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpanKind {
    Server,
    Client,
    Producer,
    Consumer,
    Internal,
}

/// One piece of a trace, over.
pub(crate) struct Span {
    /// The service that it is a span of.
    pub(crate) owner: &'static str,
    pub(crate) context: TraceContext,
    pub(crate) parent: Option<u64>,
    pub(crate) kind: SpanKind,
    pub(crate) subject: Subject,
    pub(crate) ended: Ended,
    /// The code of its error, or what it is called.
    pub(crate) error: Option<Cow<'static, str>>,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
    /// Other traces that it belongs to as well.
    pub(crate) links: Vec<TraceContext>,
}

/// What a span is about.
pub(crate) enum Subject {
    /// A worker.
    Worker {
        entrypoint: Arc<Entrypoint>,
        /// Of what came by the broker.
        message: Option<Delivered>,
        call_id: String,
        attempt: u32,
        waited: Duration,
        /// Of HTTP, what it answered.
        status: Option<u16>,
    },
    /// A call of another service, from the request to the reply.
    Call { system: &'static str, service: Name, method: Name },
    /// A message that is sent, until the broker has it.
    Publish { exchange: Name, routing_key: Name, message_id: Option<Name> },
}

/// What is told of a message. Not the message itself: its body would stay in memory with the span.
pub(crate) struct Delivered {
    pub(crate) exchange: Name,
    pub(crate) routing_key: Name,
    pub(crate) message_id: Option<Name>,
    pub(crate) bytes: usize,
}

impl Delivered {
    pub(crate) fn of(message: &Message) -> Self {
        Self {
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
            message_id: message.properties.message_id.clone(),
            bytes: message.body.len(),
        }
    }
}

impl Span {
    /// What people know it by.
    pub(crate) fn name(&self) -> String {
        match &self.subject {
            Subject::Worker { entrypoint, .. } => {
                let method = || format!("{}/{}", entrypoint.service, entrypoint.method);
                entrypoint.route().unwrap_or_else(method)
            }
            Subject::Call { service, method, .. } => format!("{service}/{method}"),
            Subject::Publish { exchange, routing_key, .. } => match &**exchange {
                "" => format!("send {routing_key}"),
                exchange => format!("send {exchange} {routing_key}"),
            },
        }
    }
}

/// Where spans go when they are over.
pub(crate) trait SpanSink: Send + Sync {
    /// Takes one. Must not wait: it runs on the path of the call.
    fn span(&self, span: &Arc<Span>);

    /// Waits until what it was given is where it goes.
    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
