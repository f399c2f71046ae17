use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{consumer::MemoryConsumer, exchange::BoundExchange, queue::MemoryQueue};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Message, Name},
    transport::{DeliverySink, QueueStatus, ReplySink, Topology},
};

/// Exchanges and queues, shared by the connections to one in-process broker.
#[derive(Default)]
pub(super) struct Broker {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    exchanges: HashMap<Name, BoundExchange>,
    queues: HashMap<Name, Arc<MemoryQueue>>,
}

impl Broker {
    pub(super) fn declare(&self, topology: Topology) {
        for queue in &topology.queues {
            // Gone by its own `expires`, if it is: then it is declared anew.
            let _ = self.queue(&queue.name);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for exchange in topology.exchanges {
            state.exchanges.entry(exchange.name).or_insert_with(|| BoundExchange::new(exchange.kind));
        }
        for queue in topology.queues {
            match state.queues.get(&queue.name) {
                Some(existing) if existing.declared != queue => tracing::warn!(
                    queue = %queue.name, existing = ?existing.declared, wanted = ?queue,
                    "the queue exists with other arguments and is used as it is"
                ),
                Some(_) => {}
                None => {
                    state.queues.insert(queue.name.clone(), Arc::new(MemoryQueue::new(queue)));
                }
            }
        }
        for binding in topology.bindings {
            match state.exchanges.get_mut(&binding.exchange) {
                Some(exchange) => exchange.bind(binding.routing_key, binding.queue),
                None => {
                    tracing::warn!(exchange = %binding.exchange, "a binding names an exchange that was not declared")
                }
            }
        }
    }

    /// Routes a message to every queue that it leads to.
    ///
    /// # Errors
    ///
    /// The message itself, where it leads to none.
    pub(super) fn publish(&self, message: Message) -> std::result::Result<(), Arc<Message>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if message.exchange.is_empty() {
            let queue = state.queues.get(&message.routing_key).cloned();
            drop(state);
            let Some(queue) = queue else { return Err(Arc::new(message)) };
            // A reply has one owner all the way, which saves sharing it.
            return match queue.replies() {
                Some(sink) => {
                    sink.reply(message);
                    Ok(())
                }
                None => self.push(&queue, Arc::new(message)),
            };
        }
        let names = state.exchanges.get(&message.exchange).map(|exchange| exchange.route(&message.routing_key));
        let queues: Vec<_> =
            names.unwrap_or_default().iter().filter_map(|name| state.queues.get(name).cloned()).collect();
        drop(state);
        let message = Arc::new(message);
        let mut routed = false;
        for queue in queues {
            routed |= self.push(&queue, message.clone()).is_ok();
        }
        if routed { Ok(()) } else { Err(message) }
    }

    fn push(&self, queue: &MemoryQueue, message: Arc<Message>) -> std::result::Result<(), Arc<Message>> {
        // Queues that had no consumer for too long go when somebody looks: no timer is needed to keep that promise.
        queue.push(message).inspect_err(|_| self.delete(queue.name()))
    }

    pub(super) fn consume(
        self: &Arc<Self>,
        queue: &Name,
        prefetch: u16,
        sink: Arc<dyn DeliverySink>,
    ) -> Result<Arc<MemoryConsumer>> {
        let name = queue.clone();
        let queue = self.queue(queue)?;
        let consumer =
            Arc::new(MemoryConsumer::new(name, Arc::downgrade(&queue), Arc::downgrade(self), prefetch, sink));
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

    pub(super) fn delete(&self, queue: &Name) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(deleted) = state.queues.remove(queue) {
            deleted.delete();
        }
        for exchange in state.exchanges.values_mut() {
            exchange.unbind(queue);
        }
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
