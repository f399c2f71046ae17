//! What an order needs of its queue, looked at before anything is consumed.

use super::{
    Handler, MessageEntrypoint,
    topology::{self, Source},
};
use crate::{
    Error, ErrorKind, Result,
    protocol::Name,
    transport::{QueueKind, Topology, Transport},
};

impl MessageEntrypoint {
    /// Refuses an order that the queue cannot keep.
    pub(super) fn check_order(&self, handler: &Handler, source: &Source) -> Result<()> {
        let one_at_a_time = source.declared().is_some_and(|queue| queue.single_active_consumer);
        if handler.handling.ordered_by.is_none() || one_at_a_time {
            return Ok(());
        }
        let why = if source.foreign {
            "somebody else declares it: leave `declare = false` out"
        } else {
            "queues are declared as Nameko declares them: leave `wire = \"nameko\"` out"
        };
        Err(self.no_order(handler, &source.queue, why))
    }

    /// The same, where the queue was there before.
    pub(super) async fn check_adopted(
        &self,
        handler: &Handler,
        source: &Source,
        transport: &dyn Transport,
    ) -> Result<()> {
        let queue = match source.declared() {
            Some(queue) if handler.handling.ordered_by.is_some() && transport.is_adopted(queue) => queue,
            _ => return Ok(()),
        };
        if queue.kind == QueueKind::Quorum {
            let uncounted = topology::uncounted(queue);
            transport.declare(Topology { queues: vec![uncounted.clone()], ..Topology::default() }).await?;
            if !transport.is_adopted(&uncounted) {
                let (service, method, queue) = (self.descriptor.name, handler.method, &*source.queue);
                tracing::warn!(
                    service,
                    method,
                    queue,
                    "a queue of an earlier version keeps its order, but is on one node, and an event that ends its process comes again for ever: \
                     delete it when it is empty, and it is declared anew"
                );
                return Ok(());
            }
        }
        Err(self.no_order(
            handler,
            &source.queue,
            "it exists without: delete it when it is empty, and it is declared anew",
        ))
    }

    fn no_order(&self, handler: &Handler, queue: &Name, why: &str) -> Error {
        let (service, method) = (self.descriptor.name, handler.method);
        let text = format!(
            "`{service}.{method}` is `ordered_by`, which takes a queue with a single active consumer, and for `{queue}` {why}"
        );
        Error::new(ErrorKind::Setup, text)
    }
}
