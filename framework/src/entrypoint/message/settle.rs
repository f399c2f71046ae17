//! What becomes of a delivery when its worker is over.

use super::{
    Lane,
    policy::{self, Next},
    received::Received,
    replace::{Replaced, Successor},
};
use crate::{
    context::Cancelled,
    event::{Action, Verdict},
    protocol::{Fault, delivery_headers::reason, excerpt},
    service::Outcome,
};

/// How a worker ended, as one delivery sees it.
#[derive(Clone)]
pub(super) enum Ending {
    Done,
    Failed(Verdict),
    /// It did not come to its end, and its message goes to somebody else.
    Dropped(Cancelled),
}

impl Lane {
    pub(super) fn ending(&self, outcome: Outcome) -> Ending {
        match outcome {
            Outcome::Done => Ending::Done,
            Outcome::Failed(verdict) => Ending::Failed(verdict),
            Outcome::Fault { fault, .. } => Ending::Failed(Verdict::of_fault(*fault)),
            Outcome::Cancelled(reason) => Ending::Dropped(reason),
            // Of methods that something else fires.
            Outcome::Reply(_) | Outcome::Response(_) | Outcome::Batch(_) => {
                let fault = Fault::internal("NoHandler", "the method handles no single messages");
                Ending::Failed(Verdict::new(Action::Retry, fault))
            }
        }
    }

    /// The same for each of so many deliveries that one worker had.
    pub(super) fn endings(&self, outcome: Outcome, items: usize) -> Vec<Ending> {
        match outcome {
            Outcome::Batch(verdicts) if verdicts.len() == items => {
                verdicts.into_iter().map(|verdict| verdict.map_or(Ending::Done, Ending::Failed)).collect()
            }
            outcome => vec![self.ending(outcome); items],
        }
    }

    pub(super) async fn settle(&self, mut received: Received, ending: Ending) {
        let (service, method, queue) = (self.shared.service_name, self.handler.method, &*self.queue);
        let begun = received.begun.take();
        match ending {
            Ending::Done => received.done(),
            Ending::Dropped(reason) => {
                tracing::warn!(service, method, queue, %reason, "a worker was dropped, its message goes to somebody else");
                received.delivery.requeue();
                // It came to no end, so its mark stays.
                return;
            }
            // Rare, so it takes no room in the future of every message.
            Ending::Failed(verdict) => Box::pin(self.failed(received, verdict)).await,
        }
        if let Some(begun) = begun {
            Box::pin(self.end(begun)).await;
        }
    }

    async fn failed(&self, received: Received, verdict: Verdict) {
        let (service, method, queue) = (self.shared.service_name, self.handler.method, &*self.queue);
        let (attempt, fault) = (received.attempt, verdict.fault());
        match policy::next(&self.handler.handling.retry, attempt, &verdict) {
            Next::Attempt(delay) => {
                self.handler.seen.retried();
                tracing::warn!(
                    service,
                    method,
                    queue,
                    attempt,
                    ?delay,
                    error = excerpt(fault),
                    "message failed, it is tried again"
                );
                let message = received.next_attempt(&self.queue, fault);
                let replaced = self.replace(received, Successor { message, delay, declare: None }).await;
                if let Replaced::Unfit(received, error) = replaced {
                    tracing::error!(
                        service,
                        method,
                        queue,
                        error = error.chain(),
                        "a message cannot be tried again: with kinoko's headers beside its own it would be too large"
                    );
                    self.keep(*received, reason::TOO_LARGE, fault, attempt).await;
                }
            }
            Next::DeadLetter(reason) => self.keep(received, reason, fault, attempt).await,
            Next::Drop => {
                tracing::warn!(
                    service,
                    method,
                    queue,
                    attempt,
                    error = excerpt(fault),
                    "message rejected, it is dropped"
                );
                received.done();
            }
        }
    }
}
