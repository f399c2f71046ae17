//! Marks at the broker: which messages a worker of kinoko has begun and not brought to an end.
//!
//! That a message is redelivered tells only that somebody had it. A Python instance may have handed it back, or it waited for its turn in a
//! process that died. So the worker that begins a suspect says so before, by a queue with the name that is in the message, and removes the
//! queue at the end. What is redelivered while its queue is there has ended a process, or lost the broker in the middle of its work.

use std::time::Duration;

use uuid::Uuid;

use super::Lane;
use crate::{
    Result,
    protocol::{Name, names},
    transport::{Queue, Topology},
};

/// How long a mark stays that nobody looks at any more. A message that takes longer to be worked, or to be delivered again, is not counted.
const STAYS: Duration = Duration::from_secs(24 * 3600);

/// The mark of one message.
#[derive(Clone)]
pub(super) struct Begun(Name);

impl Begun {
    pub(super) fn of(id: Uuid) -> Self {
        Self(names::begun_queue(id))
    }
}

impl Lane {
    /// Says that a worker begins a message, unless another has begun it and come to no end: then the answer is `true`. Only where it was
    /// given to somebody can that be.
    pub(super) async fn begin(&self, Begun(queue): &Begun, redelivered: bool) -> Result<bool> {
        let transport = self.shared.transport()?;
        if redelivered && transport.queue_status(queue).await?.is_some() {
            return Ok(true);
        }
        let queues = vec![Queue::durable(queue.clone()).expires(STAYS)];
        transport.declare(Topology { queues, ..Topology::default() }).await?;
        Ok(false)
    }

    /// Says that it is over. Where that fails, the mark expires, and no message looks for it any more.
    pub(super) async fn end(&self, Begun(queue): Begun) {
        let removed = match self.shared.transport() {
            Ok(transport) => transport.remove_queue(&queue).await,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::debug!(
                queue = &*queue,
                error = error.chain(),
                "a mark of a message that was begun stays until it expires"
            );
        }
    }
}
