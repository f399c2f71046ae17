//! The queues that handlers consume, declared as Nameko declares them, or better where only kinoko shares them.

use std::time::Duration;

use crate::{
    event::EventName,
    protocol::{Headers, Name, names},
    service::{BindInfo, ConsumerInfo, EventHandlerInfo, HandlerKind, HandlingInfo},
    transport::{Binding, Exchange, ExchangeKind, Queue, QueueKind, Topology},
};

/// How often the broker delivers a message of a quorum queue before it takes it away itself: a last resort, far beyond what the
/// handler's own counts allow.
const DELIVERY_LIMIT: u32 = 1000;

/// Dead letters are looked at again and again, and must not be dropped for it.
const DEAD_LETTER_DELIVERY_LIMIT: u32 = 1_000_000;

const ALONE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// One queue that a handler consumes.
pub(super) struct Source {
    pub(super) queue: Name,
    /// Where what cannot be handled is kept.
    pub(super) dead_letters: Name,
    /// What has to be there before.
    pub(super) topology: Topology,
    /// Somebody else declares the queue.
    pub(super) foreign: bool,
}

/// What queues are named after.
pub(super) struct Naming {
    pub(super) service: &'static str,
    /// Tells this instance from others, in the names of broadcast queues.
    pub(super) instance: String,
    /// All queues exactly as Nameko declares them.
    pub(super) nameko_wire: bool,
}

impl Naming {
    /// The queue of one event of a handler.
    pub(super) fn event(&self, info: &EventHandlerInfo, event: &EventName) -> Source {
        let EventName { source, name } = event;
        let shared = info.shared_queue(self.service, event);
        // One queue of dead letters for all instances: theirs go with them.
        let dead_letters = names::dead_letter_queue(&shared);
        let queue = match info.kind {
            HandlerKind::ServicePool | HandlerKind::Singleton => shared,
            HandlerKind::Broadcast => format!("{shared}-{}", self.instance).into(),
        };
        let broadcast = info.kind == HandlerKind::Broadcast;
        let mut declared =
            Queue { exclusive: broadcast, auto_delete: broadcast || !info.reliable, ..Queue::durable(queue.clone()) };
        let mut topology = Topology::default();
        let ordered = info.handling.ordered_by.is_some() && !self.nameko_wire;
        declared.single_active_consumer = ordered;
        let shared = info.kind == HandlerKind::ServicePool || (ordered && info.kind == HandlerKind::Singleton);
        if shared && info.reliable && !self.nameko_wire {
            declared = counted(declared, &dead_letters);
            // The broker's own dead letters would be lost without it.
            topology.queues.push(dead_letter_queue(dead_letters.clone()));
        }
        let exchange = names::event_exchange(source);
        topology.exchanges.push(Exchange::durable(exchange.clone(), ExchangeKind::Topic));
        topology.queues.push(declared);
        topology.bindings.push(Binding::new(exchange, queue.clone(), *name));
        Source { queue, dead_letters, topology, foreign: false }
    }
}

/// The queue of a consumer, as it says.
pub(super) fn consumed(info: &ConsumerInfo) -> Source {
    let queue = Name::from_static(info.queue);
    let dead_letters = names::dead_letter_queue(&queue);
    let mut topology = Topology::default();
    if info.declare {
        let mut declared = Queue::durable(queue.clone());
        if info.handling.ordered_by.is_some() {
            declared.single_active_consumer = true;
            declared = counted(declared, &dead_letters);
            topology.queues.push(dead_letter_queue(dead_letters.clone()));
        }
        topology.queues.push(declared);
    }
    if let Some(BindInfo { exchange, kind, routing_key }) = info.bind {
        if info.declare {
            topology.exchanges.push(Exchange::durable(exchange, kind));
        }
        topology.bindings.push(Binding::new(exchange, queue.clone(), routing_key));
    }
    Source { queue, dead_letters, topology, foreign: !info.declare }
}

impl Source {
    /// Its queue, where it is declared here.
    pub(super) fn declared(&self) -> Option<&Queue> {
        self.topology.queues.iter().find(|queue| queue.name == self.queue)
    }
}

/// A queue on several nodes, whose broker counts the deliveries of each message.
fn counted(queue: Queue, dead_letters: &Name) -> Queue {
    queue
        .quorum()
        .argument("x-delivery-limit", DELIVERY_LIMIT)
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", dead_letters.as_str())
}

/// How a queue with an order was declared before its broker counted: on one node.
pub(super) fn uncounted(queue: &Queue) -> Queue {
    Queue { kind: QueueKind::Classic, arguments: Headers::default(), ..queue.clone() }
}

/// Tells which messages were begun alone. It goes when nobody has looked for a day: a loop of crashes is faster.
pub(super) fn alone_queue(queue: &Name) -> Queue {
    Queue::durable(names::alone_queue(queue)).quorum().argument("x-delivery-limit", DELIVERY_LIMIT).expires(ALONE_KEPT)
}

/// Where dead letters are kept.
pub(super) fn dead_letter_queue(name: Name) -> Queue {
    Queue::durable(name).quorum().argument("x-delivery-limit", DEAD_LETTER_DELIVERY_LIMIT)
}

/// How many deliveries a consumer may hold at once.
///
/// As many as can be worked, and with a limit of the handler's own as many again, so that its workers need not wait for the broker. More would
/// only wait here while another instance is idle.
pub(super) fn prefetch(handling: &HandlingInfo, container_workers: u16) -> u16 {
    if handling.ordered_by.is_some() {
        return ORDERED;
    }
    let container_workers = usize::from(container_workers);
    let at_once = match (handling.concurrency, &handling.batch) {
        (Some(concurrency), _) => concurrency.min(container_workers).saturating_mul(2),
        (None, None) => container_workers,
        (None, Some(_)) => container_workers.min(UNLIMITED_BATCHES),
    };
    let size = handling.batch.map_or(1, |batch| batch.size);
    u16::try_from(at_once.saturating_mul(size)).unwrap_or(u16::MAX).max(1)
}

/// How many deliveries a handler with an order may hold: those of a key that stands still wait here, and must leave room for other keys.
const ORDERED: u16 = 256;

/// How many batches a handler without `concurrency` is given at once: for each of the container's workers one would be most of a queue.
const UNLIMITED_BATCHES: usize = 4;
