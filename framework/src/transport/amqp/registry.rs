use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tracing::warn;

use super::{
    delays::Delays,
    failure::Failure,
    item::{Item, items},
};
use crate::{
    protocol::{Message, Name},
    transport::{Binding, Exchange, Queue, QueueKind, Topology, routing},
};

/// Everything that was declared, to be declared again with each connection and from time to time.
#[derive(Default)]
pub(super) struct Registry {
    known: Mutex<Known>,
    adopted: Mutex<HashSet<String>>,
    rounds: RwLock<()>,
    pub(super) delays: Delays,
}

#[derive(Default)]
struct Known {
    topology: Topology,
    /// How many of this program's consumers a queue has.
    consumers: HashMap<Name, usize>,
}

/// What a topology added to what was known.
#[derive(Default)]
pub(super) struct New {
    exchanges: Vec<Name>,
    queues: Vec<Name>,
}

/// Counts as a consumer of a queue for as long as it lives.
pub(super) struct Consuming<'a> {
    registry: &'a Registry,
    queue: Name,
}

impl Registry {
    /// Returns what was not known before.
    pub(super) fn add(&self, topology: &Topology) -> New {
        let known = &mut self.known().topology;
        let mut new = New::default();
        for exchange in &topology.exchanges {
            if !known.exchanges.contains(exchange) {
                new.exchanges.push(exchange.name.clone());
                known.exchanges.push(exchange.clone());
            }
        }
        for queue in &topology.queues {
            match known.queues.iter_mut().find(|other| other.name == queue.name) {
                Some(other) if other == queue => {}
                Some(other) => {
                    // Asked for in another form than before, it may be just as the broker has it.
                    self.disown(&Item::Queue(queue.clone()));
                    *other = queue.clone();
                }
                None => {
                    new.queues.push(queue.name.clone());
                    known.queues.push(queue.clone());
                }
            }
        }
        for binding in &topology.bindings {
            if !known.bindings.contains(binding) {
                known.bindings.push(binding.clone());
            }
        }
        new
    }

    pub(super) fn forget(&self, queue: &Name) {
        self.known().forget(queue);
    }

    /// What was refused is not declared again: each time it would hold up the rest.
    pub(super) fn forget_new(&self, new: &New) {
        let mut known = self.known();
        for queue in &new.queues {
            known.forget(queue);
        }
        let Topology { exchanges, bindings, .. } = &mut known.topology;
        // What was declared meanwhile may count on it.
        let is_used = |name: &Name| bindings.iter().any(|binding| binding.exchange == *name);
        exchanges.retain(|exchange| !new.exchanges.contains(&exchange.name) || is_used(&exchange.name));
    }

    /// To be held while what is known is declared again, and while something is removed: what is being removed must not be declared again.
    pub(super) async fn round(&self) -> RwLockWriteGuard<'_, ()> {
        self.rounds.write().await
    }

    /// To be held while something new is declared: a round in the middle would take up what is about to be refused.
    pub(super) async fn no_round(&self) -> RwLockReadGuard<'_, ()> {
        self.rounds.read().await
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
        items(&self.known().of_queue(queue))
    }

    /// What an exchange that is missing needs: itself, its bindings and their queues. Nothing where it was not declared here.
    pub(super) fn of_exchange(&self, name: &Name) -> Vec<Item> {
        if self.delays.owns(name) {
            return self.delays.items();
        }
        let known = self.known();
        known.exchange(name).map(|exchange| items(&known.of_exchange(exchange, |_| true))).unwrap_or_default()
    }

    /// What would lead a message to a queue, were it there. Nothing where it leads nowhere by what was declared here.
    pub(super) fn route_of(&self, message: &Message) -> Vec<Item> {
        if self.delays.owns(&message.exchange) {
            return self.delays.items();
        }
        let known = self.known();
        if message.exchange.is_empty() {
            let queue = &message.routing_key;
            return if known.stands(queue) { items(&known.of_queue(queue)) } else { Vec::new() };
        }
        let Some(exchange) = known.exchange(&message.exchange) else { return Vec::new() };
        let topology = known.of_exchange(exchange, |binding| routing::takes(exchange.kind, binding, message));
        if topology.bindings.is_empty() { Vec::new() } else { items(&topology) }
    }

    /// Whether only one of a queue's consumers gets messages at a time.
    pub(super) fn is_single_active(&self, queue: &Name) -> bool {
        self.known().topology.queues.iter().any(|other| other.name == *queue && other.single_active_consumer)
    }

    /// Whether a queue was declared here as a classic one, and is one.
    pub(super) fn is_classic(&self, queue: &Name) -> bool {
        let declared = self.known().topology.queues.iter().find(|other| other.name == *queue).cloned();
        declared.is_some_and(|queue| {
            let other_kind = queue.arguments.get("x-queue-type").is_some();
            queue.kind == QueueKind::Classic && !other_kind && !self.is_adopted(&Item::Queue(queue))
        })
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

    /// Whether a queue should be there at any time: not where it may have gone by itself.
    fn stands(&self, name: &Name) -> bool {
        let goes = |queue: &Queue| queue.auto_delete || queue.expires.is_some();
        self.consumers.contains_key(name)
            || !self.topology.queues.iter().any(|queue| queue.name == *name && goes(queue))
    }

    fn standing(&self) -> Topology {
        let mut topology = self.topology.clone();
        topology.queues.retain(|queue| self.stands(&queue.name));
        topology.bindings.retain(|binding| self.stands(&binding.queue));
        topology
    }

    fn exchange(&self, name: &Name) -> Option<&Exchange> {
        self.topology.exchanges.iter().find(|exchange| exchange.name == *name)
    }

    fn of_queue(&self, name: &Name) -> Topology {
        let Topology { exchanges, queues, bindings } = &self.topology;
        let bindings: Vec<_> = bindings.iter().filter(|binding| binding.queue == *name).cloned().collect();
        let binds = |exchange: &&Exchange| bindings.iter().any(|binding| binding.exchange == exchange.name);
        Topology {
            exchanges: exchanges.iter().filter(binds).cloned().collect(),
            queues: queues.iter().filter(|queue| queue.name == *name).cloned().collect(),
            bindings,
        }
    }

    /// An exchange with those of its bindings and queues that should be there at any time.
    fn of_exchange(&self, exchange: &Exchange, keep: impl Fn(&Binding) -> bool) -> Topology {
        let Topology { queues, bindings, .. } = &self.topology;
        let keeps =
            |binding: &&Binding| binding.exchange == exchange.name && keep(binding) && self.stands(&binding.queue);
        let bindings: Vec<_> = bindings.iter().filter(keeps).cloned().collect();
        let bound = |queue: &&Queue| bindings.iter().any(|binding| binding.queue == queue.name);
        Topology { exchanges: vec![exchange.clone()], queues: queues.iter().filter(bound).cloned().collect(), bindings }
    }
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
