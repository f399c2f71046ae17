//! `#[event_handler]` and `#[consume]`: from a delivery on one of a handler's queues to its acknowledgement.
//!
//! A delivery passes [`sink`] (arrives, is gathered to a batch), [`serve`] (is claimed by [`idempotency`], waits for a slot, [`crashes`] looks at what comes again and marks it as [`begun`], the worker
//! runs) and [`settle`] (what its ending means for the message: [`policy`] decides, [`replace`] and [`dead_letter`] publish).
//! Where there is an order to keep, [`ordering`] takes the place of `serve`; [`recall`] and [`alone`] are its memory.

mod alone;
mod begun;
mod checks;
mod crashes;
mod dead_letter;
mod idempotency;
mod ordering;
mod policy;
mod recall;
mod received;
mod replace;
mod serve;
mod settle;
mod sink;
mod topology;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::RwLock;
use uuid::Uuid;

use self::{
    alone::Marks,
    idempotency::Handled,
    ordering::Keys,
    recall::Recall,
    sink::{Incoming, MessageSink},
    topology::{Naming, Source},
};
use super::Entrypoint;
use crate::{
    Error, ErrorKind, Result,
    codec::Codecs,
    context::Cancelled,
    observe::{self, EntrypointKind},
    protocol::Name,
    service::{DynService, HandlingInfo, ServiceDescriptor},
    task::Tasks,
    transport::{Consumer, ConsumerStatus, Topology, Transport},
    worker::{Limits, MethodSlots, Workers},
};

/// What the settings say of events and messages.
#[derive(Debug, Clone)]
pub(crate) struct MessageSettings {
    /// Queues are declared as Nameko declares them.
    pub(crate) nameko_wire: bool,
    pub(crate) max_body_bytes: usize,
    /// How long what was handled is remembered, where its handler does not say.
    pub(crate) idempotency_window: Duration,
}

/// What messages fire in one container.
pub(crate) struct MessageEntrypoint {
    shared: Arc<Shared>,
    descriptor: &'static ServiceDescriptor,
    nameko_wire: bool,
    idempotency_window: Duration,
    consumers: Mutex<Vec<RunningConsumer>>,
}

/// A consumer of one queue, and where its deliveries go.
type RunningConsumer = (Arc<dyn Consumer>, Arc<Lane>);

struct Shared {
    service: Arc<dyn DynService>,
    service_name: &'static str,
    codecs: Arc<Codecs>,
    limits: Arc<Limits>,
    tasks: Tasks,
    max_body_bytes: usize,
    /// Weak: the transport holds its consumers, and they hold this.
    transport: OnceLock<Weak<dyn Transport>>,
}

impl Shared {
    fn transport(&self) -> Result<Arc<dyn Transport>> {
        let transport = self.transport.get().and_then(Weak::upgrade);
        transport.ok_or_else(|| Error::new(ErrorKind::Closed, "the service has ended"))
    }
}

/// One method that messages fire.
struct Handler {
    index: usize,
    method: &'static str,
    handling: HandlingInfo,
    slots: Arc<MethodSlots>,
    seen: Arc<observe::Entrypoint>,
    /// What it has handled, where this process remembers it.
    handled: Option<Arc<Handled>>,
}

/// The way of one queue's deliveries to their handler.
struct Lane {
    shared: Arc<Shared>,
    handler: Arc<Handler>,
    queue: Name,
    /// The queue that keeps what cannot be handled.
    dead_letters: Name,
    workers: Arc<Workers>,
    incoming: Incoming,
    /// What waits for its turn, where there is an order.
    keys: Keys,
    recall: Recall,
    /// Held by one that begins alone; by all others in common.
    turn: RwLock<()>,
    marks: Mutex<Option<Marks>>,
}

impl MessageEntrypoint {
    pub(crate) fn new(
        service: Arc<dyn DynService>,
        codecs: Arc<Codecs>,
        limits: Arc<Limits>,
        tasks: Tasks,
        settings: &MessageSettings,
    ) -> Self {
        let descriptor = service.descriptor();
        let shared = Shared {
            service,
            service_name: descriptor.name,
            codecs,
            limits,
            tasks,
            max_body_bytes: settings.max_body_bytes,
            transport: OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
            descriptor,
            nameko_wire: settings.nameko_wire || descriptor.nameko_wire,
            idempotency_window: settings.idempotency_window,
            consumers: Mutex::default(),
        }
    }

    fn consumers(&self) -> MutexGuard<'_, Vec<RunningConsumer>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every queue that the service consumes, with its handler.
    fn sources(&self) -> Vec<(Arc<Handler>, Source)> {
        let naming = Naming {
            service: self.descriptor.name,
            instance: Uuid::new_v4().simple().to_string(),
            nameko_wire: self.nameko_wire,
        };
        let mut sources = Vec::new();
        for info in self.descriptor.events {
            let handler = self.handler(EntrypointKind::Event, info.index, info.method, info.handling);
            sources.extend(info.events.iter().map(|event| (handler.clone(), naming.event(info, event))));
        }
        for info in self.descriptor.consumers {
            let handler = self.handler(EntrypointKind::Consume, info.index, info.method, info.handling);
            sources.push((handler, topology::consumed(info)));
        }
        sources
    }

    fn handler(
        &self,
        kind: EntrypointKind,
        index: usize,
        method: &'static str,
        handling: HandlingInfo,
    ) -> Arc<Handler> {
        let seen = self.shared.limits.observer().entrypoint(self.descriptor.name, method, kind, None);
        let slots = Arc::new(MethodSlots::new(self.shared.limits.clone(), handling.concurrency));
        let handled = Handled::new(handling.idempotent, self.idempotency_window);
        Arc::new(Handler { index, method, handling, slots, seen, handled })
    }
}

#[async_trait]
impl Entrypoint for MessageEntrypoint {
    async fn start(&self, transport: &Arc<dyn Transport>, max_workers: u16) -> Result<()> {
        let sources = self.sources();
        if sources.is_empty() {
            return Ok(());
        }
        // It starts once.
        let _ = self.shared.transport.set(Arc::downgrade(transport));
        for (handler, source) in &sources {
            self.check_order(handler, source)?;
            if source.foreign && transport.queue_status(&source.queue).await?.is_none() {
                return Err(self.no_queue(handler, &source.queue));
            }
        }
        let mut topology = Topology::default();
        for (_, source) in &sources {
            topology.exchanges.extend_from_slice(&source.topology.exchanges);
            topology.queues.extend_from_slice(&source.topology.queues);
            topology.bindings.extend_from_slice(&source.topology.bindings);
        }
        transport.declare(topology).await?;
        for (handler, source) in &sources {
            self.check_adopted(handler, source, &**transport).await?;
        }
        for (handler, source) in sources {
            let prefetch = topology::prefetch(&handler.handling, max_workers);
            let lane = Arc::new(Lane {
                workers: Workers::new(&self.shared.tasks),
                shared: self.shared.clone(),
                handler,
                queue: source.queue,
                dead_letters: source.dead_letters,
                incoming: Incoming::default(),
                keys: Keys::default(),
                recall: Recall::default(),
                turn: RwLock::default(),
                marks: Mutex::default(),
            });
            let sink = Arc::new(MessageSink(lane.clone()));
            let consumer = transport.consume(lane.queue.clone(), prefetch, sink).await?;
            // One more consumer, as which it would grow, gets nothing beside a single active one.
            if lane.handler.handling.ordered_by.is_none() {
                self.shared.limits.add_consumer(&consumer);
            }
            self.consumers().push((consumer, lane));
        }
        Ok(())
    }

    async fn stop_taking(&self) {
        let consumers = self.consumers().clone();
        let (ordered, others): (Vec<_>, Vec<_>) =
            consumers.into_iter().partition(|(_, lane)| lane.handler.handling.ordered_by.is_some());
        for (consumer, lane) in ordered {
            lane.keys.close();
            // The broker delivers to the next instance as soon as this one consumes no more, and that must not overtake what runs here.
            let tasks = lane.shared.tasks.clone();
            tasks.spawn(async move {
                lane.keys.finished().await;
                consumer.give_back().await;
            });
        }
        join_all(others.iter().map(|(consumer, _)| consumer.cancel())).await;
    }

    fn cancel_workers(&self) {
        for (_, lane) in self.consumers().iter() {
            lane.workers.cancel_all(Cancelled::Stopping);
            lane.incoming.give_up();
        }
    }

    fn consumer_statuses(&self) -> Vec<ConsumerStatus> {
        self.consumers().iter().map(|(consumer, _)| consumer.status()).collect()
    }

    fn running(&self) -> usize {
        self.consumers().iter().map(|(_, lane)| lane.workers.len()).sum()
    }
}

impl MessageEntrypoint {
    fn no_queue(&self, handler: &Handler, queue: &Name) -> Error {
        let (service, method) = (self.descriptor.name, handler.method);
        let text = format!(
            "`{service}.{method}` consumes the queue `{queue}`, which is not there, and does not declare it: declare it first, or leave `declare = false` out"
        );
        Error::new(ErrorKind::Setup, text)
    }
}
