//! Where a program hears the others: its queue, and what comes to it.

use std::sync::Arc;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    presence::Presence,
    questions::Questions,
    roster::Roster,
    topic::{Kind, Topic, patterns},
};
use crate::{
    Result,
    protocol::{Message, Name, names},
    transport::{Binding, Consumer, Delivery, DeliverySink, Exchange, ExchangeKind, Queue, Topology, Transport},
};

/// How many the broker may deliver before the first is settled: they are settled at once.
const PREFETCH: u16 = 64;
/// How many wait in the broker for a program that is slow to take them. Older ones make room.
const MOST_WAITING: u64 = 10_000;
/// How many questions wait for this program's answer; who asks beyond that is not answered.
const MOST_ASKED: usize = 128;
/// What is larger is no greeting, and no answer.
const LARGEST_GREETING: usize = 64 * 1024;
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// The queue of one program.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) instance: String,
    pub(super) queue: Name,
    pub(super) roster: Arc<Roster>,
    pub(super) questions: Questions,
    asked: mpsc::Sender<Asked>,
}

/// What somebody wants to know of this program.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    /// Which service, or which instance of it; empty: all.
    pub(super) of: String,
    pub(super) reply_to: Name,
    pub(super) correlation_id: Option<Name>,
}

impl Station {
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<Asked>) {
        let instance = Uuid::new_v4();
        let (asked, receiver) = mpsc::channel(MOST_ASKED);
        let station = Self {
            instance: instance.to_string(),
            queue: names::discovery_queue(&instance),
            roster: Arc::default(),
            questions: Questions::default(),
            asked,
        };
        (Arc::new(station), receiver)
    }

    /// Begins to hear, in the name of these services; of none it hears the answers to its own questions alone.
    pub(super) async fn open(
        self: &Arc<Self>,
        transport: &dyn Transport,
        services: Option<&[&'static str]>,
    ) -> Result<Arc<dyn Consumer>> {
        let exchange = names::DISCOVERY_EXCHANGE;
        let queue = Queue::durable(self.queue.clone()).argument("x-max-length", MOST_WAITING);
        let keys = services.into_iter().flat_map(|services| patterns(services.iter().copied(), &self.instance));
        let topology = Topology {
            exchanges: vec![Exchange { durable: false, ..Exchange::durable(exchange.clone(), ExchangeKind::Topic) }],
            queues: vec![Queue { durable: false, exclusive: true, auto_delete: true, ..queue }],
            bindings: keys.map(|key| Binding::new(exchange.clone(), self.queue.clone(), key)).collect(),
        };
        transport.declare(topology).await?;
        transport.consume(self.queue.clone(), PREFETCH, self.clone()).await
    }

    fn hear(&self, message: &Message) {
        match Topic::of(&message.routing_key) {
            Some(Topic::Hello) => self.greet(message),
            Some(Topic::Bye) => {
                if let Some(Bye { instance }) = small(message).and_then(|body| serde_json::from_slice(body).ok()) {
                    self.roster.bye(&instance);
                }
            }
            Some(Topic::Ask(kind, of)) => self.ask(kind, of.to_owned(), message),
            None => {}
        }
    }

    /// Somebody is new here, or still here. Who is new wants to know the others.
    fn greet(&self, message: &Message) {
        let Some(presence) = small(message).and_then(Presence::read) else { return };
        if presence.instance != self.instance {
            self.roster.hear(&presence);
            self.ask(Kind::Ping, String::new(), message);
        }
    }

    fn ask(&self, kind: Kind, of: String, message: &Message) {
        let properties = &message.properties;
        let Some(reply_to) = properties.reply_to.clone().filter(|reply_to| !reply_to.is_empty()) else { return };
        // What does not fit is not answered: who asks so much learns nothing new.
        let _ = self.asked.try_send(Asked { kind, of, reply_to, correlation_id: properties.correlation_id.clone() });
    }

    /// Something came by the name of the queue: an answer to a question, or to a greeting.
    fn answered(&self, message: &Message) {
        let Some(correlation_id) = &message.properties.correlation_id else { return };
        if **correlation_id == *self.instance {
            if let Some(presence) = small(message).and_then(Presence::read) {
                self.roster.hear(&presence);
            }
        } else if message.body.len() <= LARGEST_ANSWER {
            self.questions.answer(correlation_id, message.body.clone());
        }
    }
}

/// The body of a message that says who is here, or who goes.
fn small(message: &Message) -> Option<&[u8]> {
    (message.body.len() <= LARGEST_GREETING).then_some(&message.body[..])
}

/// Who goes.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Bye {
    pub(super) instance: String,
}

impl DeliverySink for Station {
    fn deliver(&self, delivery: Delivery) {
        let message = delivery.message().clone();
        // Settled first: nothing here is worth a second delivery.
        delivery.ack();
        if message.exchange == names::DISCOVERY_EXCHANGE {
            self.hear(&message);
        } else {
            self.answered(&message);
        }
    }

    fn lost(&self) {}
}
