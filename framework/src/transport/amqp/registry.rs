use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tracing::warn;

use super::{
    delays::Delays,
    failure::Failure,
    item::{Item, items},
};
use crate::{
    protocol::{Message, Name},
    transport::{Binding, Queue, Topology, routing},
};

/// Everything that was declared, to be declared again with each connection and from time to time.
#[derive(Default)]
pub(super) struct Registry {
    known: Mutex<Known>,
    adopted: Mutex<HashSet<String>>,
    pub(super) delays: Delays,
}

#[derive(Default)]
struct Known {
    topology: Topology,
    /// How many of this program's consumers a queue has.
    consumers: HashMap<Name, usize>,
}

/// Counts as a consumer of a queue for as long as it lives.
pub(super) struct Consuming<'a> {
    registry: &'a Registry,
    queue: Name,
}

impl Registry {
    pub(super) fn add(&self, topology: &Topology) {
        let known = &mut self.known().topology;
        for exchange in &topology.exchanges {
            if !known.exchanges.contains(exchange) {
                known.exchanges.push(exchange.clone());
            }
        }
        for queue in &topology.queues {
            match known.queues.iter_mut().find(|other| other.name == queue.name) {
                Some(other) => *other = queue.clone(),
                None => known.queues.push(queue.clone()),
            }
        }
        for binding in &topology.bindings {
            if !known.bindings.contains(binding) {
                known.bindings.push(binding.clone());
            }
        }
    }

    pub(super) fn forget(&self, queue: &Name) {
        self.known().forget(queue);
    }

    /// To be held while a queue is consumed.
    pub(super) fn consuming(&self, queue: &Name) -> Consuming<'_> {
        *self.known().consumers.entry(queue.clone()).or_default() += 1;
        Consuming { registry: self, queue: queue.clone() }
    }

    /// What a new connection needs: all of it.
    pub(super) fn all(&self) -> Vec<Item> {
        let topology = items(&self.known().topology);
        topology.into_iter().chain(self.delays.items()).collect()
    }

    /// What should be there at any time: all but the queues that may go by themselves and that nobody here consumes.
    pub(super) fn standing(&self) -> Vec<Item> {
        let topology = items(&self.known().standing());
        topology.into_iter().chain(self.delays.items()).collect()
    }

    /// What one queue needs: itself, its bindings and their exchanges.
    pub(super) fn of_queue(&self, queue: &Name) -> Vec<Item> {
        let mut topology = self.known().topology.clone();
        keep_queue(&mut topology, queue);
        items(&topology)
    }

    /// What an exchange that is missing needs: itself, its bindings and their queues. Nothing where it was not declared here.
    pub(super) fn of_exchange(&self, exchange: &Name) -> Vec<Item> {
        if self.delays.owns(exchange) {
            return self.delays.items();
        }
        let mut topology = self.known().standing();
        topology.exchanges.retain(|other| other.name == *exchange);
        if topology.exchanges.is_empty() {
            return Vec::new();
        }
        keep_bindings(&mut topology, |binding| binding.exchange == *exchange);
        items(&topology)
    }

    /// What would lead a message to a queue, were it there. Nothing where it leads nowhere by what was declared here.
    pub(super) fn route_of(&self, message: &Message) -> Vec<Item> {
        if self.delays.owns(&message.exchange) {
            return self.delays.items();
        }
        let mut topology = self.known().standing();
        if message.exchange.is_empty() {
            keep_queue(&mut topology, &message.routing_key);
            return items(&topology);
        }
        topology.exchanges.retain(|other| other.name == message.exchange);
        let Some(kind) = topology.exchanges.first().map(|exchange| exchange.kind) else { return Vec::new() };
        keep_bindings(&mut topology, |binding| {
            binding.exchange == message.exchange && routing::takes(kind, binding, message)
        });
        if topology.bindings.is_empty() { Vec::new() } else { items(&topology) }
    }

    /// Whether only one of a queue's consumers gets messages at a time.
    pub(super) fn is_single_active(&self, queue: &Name) -> bool {
        self.known().topology.queues.iter().any(|other| other.name == *queue && other.single_active_consumer)
    }

    /// Whether an item exists with other arguments and is used as it is.
    pub(super) fn is_adopted(&self, item: &Item) -> bool {
        self.adopted().contains(&item.to_string())
    }

    pub(super) fn adopt(&self, item: &Item, difference: &Failure) {
        if self.adopted().insert(item.to_string()) {
            warn!(%item, %difference, "exists on the broker with other arguments, used as it is");
        }
    }

    /// An item that was adopted is there no more.
    pub(super) fn disown(&self, item: &Item) {
        self.adopted().remove(&item.to_string());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn adopted(&self) -> MutexGuard<'_, HashSet<String>> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self, queue: &Name) {
        self.topology.queues.retain(|other| other.name != *queue);
        self.topology.bindings.retain(|binding| binding.queue != *queue);
    }

    fn standing(&self) -> Topology {
        let mut topology = self.topology.clone();
        let goes = |queue: &Queue| queue.auto_delete || queue.expires.is_some();
        let (left, queues) =
            topology.queues.into_iter().partition(|queue| goes(queue) && !self.consumers.contains_key(&queue.name));
        topology.queues = queues;
        let left: Vec<Queue> = left;
        topology.bindings.retain(|binding| left.iter().all(|queue| queue.name != binding.queue));
        topology
    }
}

fn keep_queue(topology: &mut Topology, name: &Name) {
    let Topology { exchanges, queues, bindings } = topology;
    queues.retain(|queue| queue.name == *name);
    bindings.retain(|binding| binding.queue == *name);
    exchanges.retain(|exchange| bindings.iter().any(|binding| binding.exchange == exchange.name));
}

fn keep_bindings(topology: &mut Topology, keep: impl Fn(&Binding) -> bool) {
    let Topology { queues, bindings, .. } = topology;
    bindings.retain(keep);
    queues.retain(|queue| bindings.iter().any(|binding| binding.queue == queue.name));
}

impl Drop for Consuming<'_> {
    fn drop(&mut self) {
        let mut known = self.registry.known();
        let Some(count) = known.consumers.get_mut(&self.queue) else { return };
        *count -= 1;
        if *count == 0 {
            known.consumers.remove(&self.queue);
            // It went with its last consumer: declared again, it would gather what nobody takes.
            if known.topology.queues.iter().any(|queue| queue.name == self.queue && queue.auto_delete) {
                known.forget(&self.queue);
            }
        }
    }
}
