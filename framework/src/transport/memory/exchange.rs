use crate::{
    protocol::{Message, Name},
    transport::{Binding, Exchange, routing},
};

/// An exchange with its bindings.
pub(super) struct BoundExchange {
    pub(super) declared: Exchange,
    bindings: Vec<Binding>,
}

impl BoundExchange {
    pub(super) fn new(declared: Exchange) -> Self {
        Self { declared, bindings: Vec::new() }
    }

    pub(super) fn bind(&mut self, binding: Binding) {
        if !self.bindings.contains(&binding) {
            self.bindings.push(binding);
        }
    }

    /// Whether the exchange goes with this queue: with its last binding.
    pub(super) fn unbind(&mut self, queue: &Name) -> bool {
        let before = self.bindings.len();
        self.bindings.retain(|binding| binding.queue != *queue);
        self.declared.auto_delete && self.bindings.is_empty() && before > 0
    }

    /// The queues that a message leads to, each once.
    pub(super) fn route(&self, message: &Message) -> Vec<Name> {
        let mut queues: Vec<Name> = Vec::new();
        for binding in &self.bindings {
            if routing::takes(self.declared.kind, binding, message) && !queues.contains(&binding.queue) {
                queues.push(binding.queue.clone());
            }
        }
        queues
    }
}
