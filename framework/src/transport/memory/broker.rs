use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tracing::warn;

use super::{
    consumer::MemoryConsumer,
    delayed::Delayed,
    exchange::BoundExchange,
    queue::{Connection, MemoryQueue, Refusal},
};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Message, Name},
    transport::{DeliverySink, Queue, QueueStatus, ReplySink, Topology},
};

/// Exchanges and queues, shared by the connections to one in-process broker.
#[derive(Default)]
pub(super) struct Broker {
    state: RwLock<State>,
    /// What was adopted, and told of.
    adopted: Mutex<HashSet<Name>>,
    delayed: Arc<Delayed>,
}

#[derive(Default)]
struct State {
    exchanges: HashMap<Name, BoundExchange>,
    queues: HashMap<Name, Arc<MemoryQueue>>,
}

/// Why a message was not published.
pub(super) enum Unpublished {
    /// Its exchange does not exist.
    NoExchange(Arc<Message>),
    /// It leads to no queue.
    Unroutable(Arc<Message>),
    /// A queue that it leads to has no room.
    Rejected(Arc<Message>),
}

impl Broker {
    pub(super) fn declare(&self, topology: Topology, connection: Connection) -> Result<()> {
        for queue in &topology.queues {
            // Gone by its own `expires`, if it is: then it is declared anew.
            let _ = self.queue(&queue.name);
        }
        let mut first = Ok(());
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for exchange in topology.exchanges {
            match state.exchanges.get(&exchange.name) {
                Some(existing) if existing.declared != exchange => {
                    self.adopt(&exchange.name, &existing.declared, &exchange);
                }
                Some(_) => {}
                None => {
                    state.exchanges.insert(exchange.name.clone(), BoundExchange::new(exchange));
                }
            }
        }
        for queue in topology.queues {
            match state.queues.get(&queue.name) {
                Some(existing) if existing.is_closed_to(connection) => first = first.and(Err(others(&queue.name))),
                Some(existing) if existing.declared != queue => self.adopt(&queue.name, &existing.declared, &queue),
                Some(_) => {}
                None => {
                    state.queues.insert(queue.name.clone(), Arc::new(MemoryQueue::new(queue, connection)));
                }
            }
        }
        for binding in topology.bindings {
            match state.exchanges.get_mut(&binding.exchange) {
                Some(exchange) => exchange.bind(binding),
                None => {
                    warn!(exchange = %binding.exchange, "a binding names an exchange that was not declared")
                }
            }
        }
        first
    }

    /// Whether there is a queue of this name that was declared otherwise.
    pub(super) fn differs(&self, queue: &Queue) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.queues.get(&queue.name).is_some_and(|existing| existing.declared != *queue)
    }

    fn adopt(&self, name: &Name, existing: &dyn fmt::Debug, wanted: &dyn fmt::Debug) {
        if self.adopted.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
            warn!(name = &**name, ?existing, ?wanted, "exists with other arguments, used as it is");
        }
    }

    /// Routes a message to every queue that it leads to.
    pub(super) fn publish(&self, message: Message) -> std::result::Result<(), Unpublished> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if message.exchange.is_empty() {
            let queue = state.queues.get(&message.routing_key).cloned();
            drop(state);
            let Some(queue) = queue else { return Err(Unpublished::Unroutable(Arc::new(message))) };
            // A reply has one owner all the way, which saves sharing it.
            return match queue.replies() {
                Some(sink) => {
                    sink.reply(message);
                    Ok(())
                }
                None => self.push(&queue, Arc::new(message)).map_err(|refusal| match refusal {
                    Refusal::Gone(message) => Unpublished::Unroutable(message),
                    Refusal::Full(message) => Unpublished::Rejected(message),
                }),
            };
        }
        let Some(exchange) = state.exchanges.get(&message.exchange) else {
            return Err(Unpublished::NoExchange(Arc::new(message)));
        };
        let queues: Vec<_> =
            exchange.route(&message).iter().filter_map(|name| state.queues.get(name).cloned()).collect();
        drop(state);
        let message = Arc::new(message);
        let mut outcome = Err(Unpublished::Unroutable(message.clone()));
        for queue in queues {
            match self.push(&queue, message.clone()) {
                Ok(()) if matches!(outcome, Err(Unpublished::Unroutable(_))) => outcome = Ok(()),
                Ok(()) | Err(Refusal::Gone(_)) => {}
                Err(Refusal::Full(message)) => outcome = Err(Unpublished::Rejected(message)),
            }
        }
        outcome
    }

    pub(super) fn has_exchange(&self, name: &Name) -> bool {
        name.is_empty() || self.state.read().unwrap_or_else(PoisonError::into_inner).exchanges.contains_key(name)
    }

    /// Publishes a message after a delay.
    pub(super) fn publish_later(self: &Arc<Self>, message: Message, delay: Duration) {
        self.delayed.keep(self, message, delay);
    }

    fn push(&self, queue: &MemoryQueue, message: Arc<Message>) -> std::result::Result<(), Refusal> {
        // Queues that had no consumer for too long go when somebody looks: no timer is needed to keep that promise.
        queue.push(message).inspect_err(|refusal| {
            if matches!(refusal, Refusal::Gone(_)) {
                self.delete(queue.name());
            }
        })
    }

    pub(super) fn consume(
        self: &Arc<Self>,
        name: &Name,
        prefetch: u16,
        sink: Arc<dyn DeliverySink>,
        connection: Connection,
    ) -> Result<Arc<MemoryConsumer>> {
        let queue = self.queue(name)?;
        if queue.is_closed_to(connection) {
            return Err(others(name));
        }
        let (home, broker) = (Arc::downgrade(&queue), Arc::downgrade(self));
        let consumer = Arc::new(MemoryConsumer::new(name.clone(), home, broker, prefetch, sink));
        queue.add_consumer(consumer.clone());
        Ok(consumer)
    }

    pub(super) fn consume_replies(&self, queue: &Name, sink: Arc<dyn ReplySink>) -> Result<()> {
        self.queue(queue)?.set_replies(sink);
        Ok(())
    }

    pub(super) fn status(&self, queue: &Name) -> Option<QueueStatus> {
        self.queue(queue).ok().map(|queue| queue.status())
    }

    /// Whether the queue is gone.
    pub(super) fn remove_idle(&self, name: &Name) -> bool {
        let Ok(queue) = self.queue(name) else { return true };
        // Marked first, so that what is published meanwhile comes back.
        let idle = queue.close_if_idle();
        if idle {
            self.delete(name);
        }
        idle
    }

    /// Deletes a queue that a connection asked for as its own, if it got it.
    pub(super) fn delete_owned(&self, name: &Name, connection: Connection) {
        if self.queue(name).is_ok_and(|queue| queue.is_owned_by(connection)) {
            self.delete(name);
        }
    }

    pub(super) fn delete(&self, queue: &Name) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(deleted) = state.queues.remove(queue) {
            deleted.delete();
        }
        state.exchanges.retain(|_, exchange| !exchange.unbind(queue));
    }

    fn queue(&self, name: &Name) -> Result<Arc<MemoryQueue>> {
        let queue = self.state.read().unwrap_or_else(PoisonError::into_inner).queues.get(name).cloned();
        match queue {
            Some(queue) if !queue.is_expired() => Ok(queue),
            found => {
                if found.is_some() {
                    self.delete(name);
                }
                Err(Error::new(ErrorKind::Usage, format!("no queue `{name}`: declare it first")))
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.delayed.end();
    }
}

fn others(queue: &Name) -> Error {
    Error::new(ErrorKind::Usage, format!("queue `{queue}` is exclusive to another connection"))
}
