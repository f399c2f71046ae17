use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    Error, ErrorKind, Result,
    codec::Format,
    protocol::{Fault, Headers, Message, Name, Properties, encode_reply},
    transport::{
        ConnectionState, Consumer, Delivery, DeliverySink, Published, Publishing, Queue, QueueStatus, ReplySink,
        Requester, Settler, Topology, Transport,
    },
};

/// The way from a hook to the containers of one program: no broker, no queue. What a request meets from its delivery on is what
/// every request meets.
pub(super) struct Direct {
    sinks: Sinks,
    /// What every request has, unless it says otherwise.
    headers: Headers,
    state: watch::Sender<ConnectionState>,
}

/// Where each service takes its requests, by the name that the short path's queue would have.
pub(super) type Sinks = Arc<BTreeMap<Name, Arc<dyn DeliverySink>>>;

impl Direct {
    pub(super) fn new(sinks: Sinks, headers: Headers) -> Arc<Self> {
        Arc::new(Self { sinks, headers, state: watch::Sender::new(ConnectionState::Connected) })
    }
}

#[async_trait]
impl Transport for Direct {
    async fn declare(&self, _: Topology) -> Result<()> {
        Err(only_calls())
    }

    async fn consume(&self, _: Name, _: u16, _: Arc<dyn DeliverySink>) -> Result<Arc<dyn Consumer>> {
        Err(only_calls())
    }

    async fn open_requester(&self, _: &str, replies: Arc<dyn ReplySink>) -> Result<Arc<dyn Requester>> {
        let (sinks, headers) = (self.sinks.clone(), self.headers.clone());
        Ok(Arc::new(DirectRequester { sinks, headers, caller: Arc::new(Caller(Arc::downgrade(&replies))) }))
    }

    async fn publish(&self, _: Message) -> Result<Published> {
        Err(only_calls())
    }

    async fn publish_later(&self, _: Message, _: Duration) -> Result<()> {
        Err(only_calls())
    }

    async fn queue_status(&self, queue: &Name) -> Result<Option<QueueStatus>> {
        Ok(self.sinks.contains_key(queue).then_some(QueueStatus { messages: 0, consumers: 1 }))
    }

    async fn remove_queue(&self, _: &Name) -> Result<bool> {
        Err(only_calls())
    }

    fn is_adopted(&self, _: &Queue) -> bool {
        false
    }

    fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    fn address(&self) -> String {
        "the services of this test".to_owned()
    }

    async fn close(&self) {}
}

fn only_calls() -> Error {
    Error::new(ErrorKind::Usage, "a hook calls entrypoints and does nothing else")
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("queues", &self.sinks.keys()).finish_non_exhaustive()
    }
}

struct DirectRequester {
    sinks: Sinks,
    headers: Headers,
    caller: Arc<Caller>,
}

impl Requester for DirectRequester {
    fn request(&self, mut message: Message) -> Publishing {
        let id = message.properties.correlation_id.clone().unwrap_or_default();
        match self.sinks.get(&message.routing_key) {
            Some(sink) => {
                for (name, value) in self.headers.iter() {
                    if message.properties.headers.get(name).is_none() {
                        message.properties.headers.set(name.clone(), value.clone());
                    }
                }
                message.properties.reply_to = Some(Name::from_static("hook"));
                sink.deliver(Delivery::new(message, false, 0, self.caller.clone()));
            }
            None => self.caller.tell(|replies| replies.returned(&id)),
        }
        Publishing::done(Ok(()))
    }
}

impl fmt::Debug for DirectRequester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectRequester").finish_non_exhaustive()
    }
}

/// Settles the deliveries of one hook. Weak: a caller that has gone needs no reply.
struct Caller(Weak<dyn ReplySink>);

impl Caller {
    fn tell(&self, say: impl FnOnce(&dyn ReplySink)) {
        if let Some(replies) = self.0.upgrade() {
            say(&*replies);
        }
    }
}

impl Settler for Caller {
    // Answered already, or dropped at its deadline, which the caller knows by itself.
    fn ack(&self, _: u64) {}

    /// There is no queue to hand it back to, so the caller is told.
    fn requeue(&self, _: u64, message: Arc<Message>) {
        let fault = Fault::nameko("CallHandedBack", "the service stops, or lost its broker, and a hook has no queue");
        let Ok(body) = encode_reply::<()>(&Format::Json, Err(&fault)) else { return };
        let properties = Properties {
            content_type: Some(Format::Json.content_type()),
            correlation_id: message.properties.correlation_id.clone(),
            ..Properties::default()
        };
        self.tell(|replies| replies.reply(Message { properties, body, ..Message::default() }));
    }

    fn reply(&self, _: u64, reply: Message) -> Publishing {
        self.tell(|replies| replies.reply(reply));
        Publishing::done(Ok(()))
    }
}
