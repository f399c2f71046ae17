use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Lane, received::Received, settle::Ending};
use crate::{
    codec::Format,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    entrypoint::timeout,
    event::{Action, RawDelivery, Verdict},
    observe::{Trace, TraceContext, Watch},
    protocol::{Message, Properties},
    service::{Outcome, WorkerCall},
    worker::{Running, log},
};

impl Lane {
    /// One message, from its delivery to its acknowledgement.
    pub(super) async fn serve(self: Arc<Self>, received: Received) {
        let Some(received) = self.claim(received).await else { return };
        if let Some((received, ending)) = self.attempt(received).await {
            self.settle(received, ending).await;
        }
    }

    /// One attempt at a message, and how it ended. `None`: there was none, the message is settled or goes back.
    pub(super) async fn attempt(&self, received: Received) -> Option<(Received, Ending)> {
        let mut watch = self.handler.seen.arrived();
        if !self.take_slot(&received.connection, &mut watch).await {
            return None;
        }
        let trace = watch.trace(&received.message.properties, false);
        let redelivered = received.delivery.redelivered();
        let worker = self.worker(received.message.clone(), received.attempt, redelivered, trace);
        let received = if received.comes_again() && self.handler.handling.ordered_by.is_none() {
            // Rare, so it takes no room in the future of every message.
            Box::pin(self.come_again(received)).await?
        } else {
            received
        };
        let outcome = self.work(&worker, Vec::new()).await;
        watch.end(worker.context(), &outcome);
        Some((received, self.ending(outcome)))
    }

    /// Several messages that one worker gets, each settled for itself.
    pub(super) async fn serve_batch(self: Arc<Self>, mut batch: Vec<Received>) {
        while !batch.is_empty() {
            let (claimed, mut in_flight) = self.claim_batch(batch);
            // What another worker is at comes after it: perhaps to be handled then, more often to be dropped.
            batch = Vec::new();
            if claimed.is_empty()
                && let Some(first) = in_flight.pop()
            {
                batch.extend(self.claim(first).await.map(|mut received| {
                    received.claim = None;
                    received
                }));
            }
            self.serve_claimed(claimed).await;
            batch.extend(in_flight);
        }
    }

    async fn serve_claimed(&self, batch: Vec<Received>) {
        let Some(first) = batch.first() else { return };
        let mut watch = self.handler.seen.arrived();
        if !self.take_slot(&first.connection, &mut watch).await {
            return;
        }
        // Of no one of them: a worker for all has no caller, nobody's identity, and a trace of its own.
        let trace = watch.trace(&Properties::default(), false);
        let worker = self.worker(Arc::default(), 1, false, trace);
        let batch = join_all(batch.into_iter().map(|received| async {
            if received.comes_again() { self.come_again(received).await } else { Some(received) }
        }));
        let batch: Vec<Received> = batch.await.into_iter().flatten().collect();
        if batch.is_empty() {
            return;
        }
        let items = batch.iter().map(|received| received.raw(&self.shared.codecs)).collect();
        let outcome = self.work(&worker, items).await;
        let links: Vec<_> =
            batch.iter().filter_map(|received| TraceContext::of(&received.message.properties)).collect();
        watch.end_batch(worker.context(), &outcome, &links);
        let endings = self.endings(outcome, batch.len());
        join_all(batch.into_iter().zip(endings).map(|(received, ending)| self.settle(received, ending))).await;
    }

    /// Waits for a place among the handler's and the container's workers. `false`: the connection was lost, or the container stops; what
    /// waited goes back.
    async fn take_slot(&self, connection: &CancellationToken, watch: &mut Watch) -> bool {
        let slots = &self.handler.slots;
        if slots.take_free() {
            return true;
        }
        let taken = tokio::select! {
            biased;
            () = connection.cancelled() => false,
            taken = Box::pin(slots.take()) => taken.is_some(),
        };
        watch.waited();
        taken
    }

    /// A worker for whom a slot was taken.
    fn worker(&self, message: Arc<Message>, attempt: u32, redelivered: bool, trace: Option<Trace>) -> Running {
        let slots = self.handler.slots.clone();
        let context = WorkerContext::new(WorkerOrigin {
            service: self.shared.service_name,
            entrypoint: self.handler.method,
            message,
            redelivered,
            attempt,
            // A limit beyond the end of time is none.
            deadline: self.handler.handling.timeout.and_then(|limit| Instant::now().checked_add(limit)),
            slots: Some(slots),
            short_path: false,
            idempotency: None,
            trace,
        });
        if let Some(slot) = context.slot() {
            slot.taken();
        }
        self.workers.enter(context)
    }

    async fn work(&self, worker: &Running, batch: Vec<RawDelivery>) -> Outcome {
        let context = worker.context().clone();
        // What no codec reads has no format: `WorkerCall::raw` sees that the two differ.
        let format = self.shared.codecs.of(&context.message().properties).unwrap_or(Format::Json);
        let call = WorkerCall { batch, ..WorkerCall::new(self.handler.index, format, context.clone()) };
        let span = log::span(&context);
        let work = context.clone().scope(self.shared.service.clone().dispatch(call));
        let outcome = match span {
            Some(span) => work.instrument(span).await,
            None => work.await,
        };
        // The method is over: whoever waits for its slot need not wait for the broker as well.
        if let Some(slot) = context.slot() {
            slot.release();
        }
        match outcome {
            Outcome::Cancelled(Cancelled::DeadlinePassed) => {
                let fault = timeout(context.service(), context.entrypoint(), self.handler.handling.timeout);
                Outcome::Failed(Verdict::new(Action::Retry, fault))
            }
            outcome => outcome,
        }
    }
}
