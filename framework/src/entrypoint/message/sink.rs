use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::{Lane, received::Received};
use crate::{
    context::Cancelled,
    protocol::{Fault, delivery_headers::reason},
    service::BatchInfo,
    transport::{Delivery, DeliverySink},
};

/// Where one queue's deliveries go.
pub(super) struct MessageSink(pub(super) Arc<Lane>);

/// What a lane knows of the connection that delivers to it.
#[derive(Default)]
pub(super) struct Incoming(Mutex<State>);

#[derive(Default)]
struct State {
    connection: CancellationToken,
    /// Deliveries that wait for others to be a batch.
    gathered: Vec<Received>,
    /// Which batch is being gathered: whoever waits for one to be due must not take the next.
    batch: u64,
}

impl DeliverySink for MessageSink {
    fn deliver(&self, delivery: Delivery) {
        let (lane, tasks) = (self.0.clone(), &self.0.shared.tasks);
        let ordered_by = lane.handler.handling.ordered_by;
        let delivery = if ordered_by.is_some() { delivery.in_order() } else { delivery };
        let received = Received::new(delivery, lane.incoming.state().connection.clone());
        let (bytes, limit) = (received.message.body.len(), lane.shared.max_body_bytes);
        if bytes > limit {
            let text = format!("the body has {bytes} bytes, {limit} are allowed (max_body_bytes)");
            let fault = Fault::internal("MessageTooLarge", text);
            let attempts = received.attempt - 1;
            tasks.spawn(async move { lane.keep(received, reason::TOO_LARGE, &fault, attempts).await });
            return;
        }
        match (lane.handler.handling.batch, ordered_by) {
            (Some(info), _) => lane.gather(received, info),
            (None, Some(field)) => lane.arrive_in_order(received, field),
            (None, None) => tasks.spawn(lane.serve(received)),
        }
    }

    fn lost(&self) {
        let (connection, gathered) = {
            let mut state = self.0.incoming.state();
            (mem::take(&mut state.connection), state.next_batch())
        };
        connection.cancel();
        self.0.workers.cancel_all(Cancelled::ConnectionLost);
        drop(gathered);
        self.0.keys.drop_waiting();
        *self.0.marks() = None;
    }
}

impl Incoming {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits for the broker waits no longer.
    pub(super) fn give_up(&self) {
        let connection = self.state().connection.clone();
        connection.cancel();
    }

    /// The batch of this number, if nobody has taken it.
    fn take(&self, batch: u64) -> Vec<Received> {
        let mut state = self.state();
        if state.batch == batch { state.next_batch() } else { Vec::new() }
    }
}

impl State {
    fn next_batch(&mut self) -> Vec<Received> {
        self.batch += 1;
        mem::take(&mut self.gathered)
    }
}

impl Lane {
    /// Adds a delivery to the batch that is being gathered, and begins its worker when it is full, or due.
    fn gather(self: Arc<Self>, received: Received, info: BatchInfo) {
        let tasks = &self.shared.tasks;
        let connection = received.connection.clone();
        let (batch, full, first) = {
            let mut state = self.incoming.state();
            state.gathered.push(received);
            let (batch, first) = (state.batch, state.gathered.len() == 1);
            let full = (state.gathered.len() >= info.size).then(|| state.next_batch());
            (batch, full, first)
        };
        if let Some(full) = full {
            tasks.spawn(self.clone().serve_batch(full));
        } else if first {
            let lane = self.clone();
            tasks.spawn(async move {
                let due = tokio::select! {
                    biased;
                    () = connection.cancelled() => false,
                    () = lane.shared.limits.stopping() => false,
                    () = tokio::time::sleep(info.within) => true,
                };
                let gathered = lane.incoming.take(batch);
                // Else they go back: nobody has begun them.
                if due {
                    lane.serve_batch(gathered).await;
                }
            });
        }
    }
}
