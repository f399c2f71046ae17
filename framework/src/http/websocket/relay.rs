//! The way to the sockets of other instances: an exchange of kinoko's own, and a queue for each instance that goes with it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;

use super::sockets::{Instance, Sockets};
use crate::{
    Error, ErrorKind, Result, WorkerContext,
    codec::JSON,
    protocol::{Message, Name, Properties, names},
    transport::{Binding, Consumer, Delivery, DeliverySink, Exchange, ExchangeKind, Queue, Topology, Transport},
};

/// Who sent it.
const INSTANCE: &str = "kinoko.instance";
/// The channel that it is for.
const CHANNEL: &str = "kinoko.channel";
/// The socket that it is for.
const SOCKET: &str = "kinoko.socket";

/// How many events the broker may deliver before the first is settled: they are settled at once.
const PREFETCH: u16 = 256;

/// The sending side.
pub(super) struct Relay {
    service: &'static str,
    /// Weak: the transport holds its consumers, which hold the sockets.
    transport: Weak<dyn Transport>,
}

/// Whom an event is for.
pub(super) enum Relayed<'a> {
    /// Every socket that is subscribed to it.
    Channel(&'a str),
    /// One socket, in its instance.
    Socket(&'a str, Instance),
}

impl Relay {
    /// Opens the way, and takes what others send where there can be sockets to get it.
    pub(super) async fn open(
        service: &'static str,
        sockets: &Sockets,
        transport: &Arc<dyn Transport>,
        takes: bool,
    ) -> Result<Option<Arc<dyn Consumer>>> {
        let exchange = names::WEBSOCKET_EXCHANGE;
        let mut topology = Topology {
            exchanges: vec![Exchange { durable: false, ..Exchange::durable(exchange.clone(), ExchangeKind::Direct) }],
            ..Topology::default()
        };
        let queue = names::websocket_queue(service, &sockets.instance());
        if takes {
            let declared = Queue::durable(queue.clone());
            topology.queues.push(Queue { durable: false, exclusive: true, auto_delete: true, ..declared });
            for key in [service.into(), key(service, sockets.instance())] {
                topology.bindings.push(Binding::new(exchange.clone(), queue.clone(), key));
            }
        }
        transport.declare(topology).await?;
        let consumer = match takes {
            true => Some(transport.consume(queue, PREFETCH, Arc::new(Sink(sockets.clone()))).await?),
            false => None,
        };
        sockets.set_relay(Self { service, transport: Arc::downgrade(transport) });
        Ok(consumer)
    }

    /// Sends an event to other instances. Says whether any has it.
    pub(super) async fn send(&self, from: &Sockets, to: Relayed<'_>, text: Utf8Bytes) -> Result<bool> {
        let Some(transport) = self.transport.upgrade() else {
            return Err(Error::new(ErrorKind::Closed, "the service has ended"));
        };
        let mut properties = Properties { content_type: Some(JSON), ..Properties::default() };
        properties.headers.set(INSTANCE, from.instance().to_string());
        let routing_key = match to {
            Relayed::Channel(channel) => {
                properties.headers.set(CHANNEL, channel);
                self.service.into()
            }
            Relayed::Socket(socket, instance) => {
                properties.headers.set(SOCKET, socket);
                key(self.service, instance)
            }
        };
        let message = Message { exchange: names::WEBSOCKET_EXCHANGE, routing_key, properties, body: text.into() };
        let left = WorkerContext::current().and_then(|worker| worker.remaining()).unwrap_or(Duration::MAX);
        match tokio::time::timeout(from.timeout().min(left), transport.publish(message)).await {
            Ok(published) => published.map(|published| published.routed),
            Err(_) => {
                let reason = transport.state().borrow().unreachable(&transport.address());
                Err(Error::new(ErrorKind::Unavailable, reason))
            }
        }
    }
}

/// By which one instance gets what is for it alone.
fn key(service: &str, instance: Instance) -> Name {
    format!("{service}.{instance}").into()
}

/// What other instances send.
struct Sink(Sockets);

impl DeliverySink for Sink {
    fn deliver(&self, delivery: Delivery) {
        let message = delivery.message().clone();
        // Settled first: at most once.
        delivery.ack();
        let header = |name| message.properties.headers.get(name).and_then(|value| value.as_str());
        if header(INSTANCE).is_some_and(|sender| sender == self.0.instance().to_string()) {
            return;
        }
        let Ok(text) = Utf8Bytes::try_from(message.body.clone()) else {
            tracing::warn!(queue = &*message.routing_key, "an event for websockets is no text: dropped");
            return;
        };
        match (header(CHANNEL), header(SOCKET)) {
            (Some(channel), _) => self.0.to_channel(channel, &text),
            (None, Some(socket)) => drop(self.0.to_socket(socket, text)),
            (None, None) => {
                tracing::warn!(routing_key = &*message.routing_key, "an event for websockets names none: dropped");
            }
        }
    }

    fn lost(&self) {}
}
