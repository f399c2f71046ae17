//! Requests that end the process that runs them must not end every next one.
//!
//! A request with a deadline is gone by then. One without, as Python callers send, would go from instance to instance for ever: the broker
//! gives it to the next one and says no more than that it was delivered before. So the attempts are counted in a header of the message,
//! which only a new message can have: it is published once more, with the count, and the old one acknowledged, before any work.

use std::sync::Weak;

use super::{Shared, Way};
use crate::{
    ErrorKind,
    context::{Cancelled, WorkerContext},
    protocol::{Fault, Message, names},
    transport::Delivery,
};

/// Which attempt it is that begins with this message; missing in the first.
const HEADER: &str = "kinoko.attempt";

/// How often such a request is begun before it is answered with a fault.
const MAX_ATTEMPTS: u64 = 3;

/// What to do with a delivery that a worker is free for.
pub(super) enum Verdict {
    /// Work it.
    Run(Delivery),
    /// It is settled: it comes again, with its count.
    Counted,
    /// The wait was cancelled.
    Cancelled(Delivery, Cancelled),
}

/// Which attempt a message begins, counted from 1.
pub(super) fn attempt(message: &Message) -> u64 {
    message.properties.headers.get(HEADER).and_then(serde_json::Value::as_u64).unwrap_or(1).max(1)
}

/// Whether a delivery is to be counted before it is worked.
pub(super) fn counts(delivery: &Delivery) -> bool {
    delivery.redelivered() && delivery.message().properties.expiration.is_none()
}

/// The answer to a request that was begun too often.
pub(super) fn too_many(delivery: &Delivery, service: &str, method: &str) -> Option<Fault> {
    if !counts(delivery) || attempt(delivery.message()) < MAX_ATTEMPTS {
        return None;
    }
    let text = format!(
        "`{service}.{method}` was begun {MAX_ATTEMPTS} times and never came to an end: its process died or lost the broker each time"
    );
    Some(Fault {
        code: Some("TOO_MANY_ATTEMPTS".into()),
        retryable: Some(false),
        http: Some(500),
        grpc: Some("ABORTED".into()),
        ..Fault::internal("TooManyAttempts", text)
    })
}

impl Shared {
    /// Waits until this process counts nothing: what comes with a count may be what it counts at the moment. If that ended the process
    /// before the old message is acknowledged, both would be there, and the old one would begin anew each time.
    pub(super) async fn counted(&self) {
        drop(self.counting.write().await);
    }

    /// Publishes a request once more with its next attempt, waits for the confirm, and acknowledges the old one.
    pub(super) async fn count_attempt(&self, delivery: Delivery, way: Way, context: &WorkerContext) -> Verdict {
        let _counting = self.counting.read().await;
        let Some(transport) = self.transport.get().and_then(Weak::upgrade) else {
            return Verdict::Cancelled(delivery, Cancelled::Stopping);
        };
        let attempt = attempt(delivery.message()) + 1;
        let publish = transport.publish(self.next(delivery.message(), attempt, way, context));
        let (service, method) = (context.service(), context.entrypoint());
        let uncounted = match context.until_cancelled(publish).await {
            Err(reason) => return Verdict::Cancelled(delivery, reason),
            Ok(Ok(published)) if published.routed => {
                tracing::warn!(service, method, attempt, "a request without deadline begins again");
                if let Err(error) = delivery.ack_and_wait().await {
                    tracing::warn!(
                        service,
                        method,
                        error = error.chain(),
                        "a request may begin once more than is counted"
                    );
                }
                return Verdict::Counted;
            }
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Closed) => {
                return Verdict::Cancelled(delivery, Cancelled::ConnectionLost);
            }
            Ok(Ok(_)) => "the queue has lost its binding".to_owned(),
            Ok(Err(error)) => error.chain(),
        };
        // Handed back it would come again at once, and again. Better uncounted than never.
        tracing::warn!(
            service,
            method,
            reason = uncounted,
            "the attempts of a request cannot be counted, it is worked all the same"
        );
        Verdict::Run(delivery)
    }

    /// The same request. Not through the queue's name on Nameko's way, although that is sure to lead back here: a Python instance that shares
    /// the queue reads the method from the routing key. The service's own binding leads here as well, and to nobody else's queue.
    fn next(&self, message: &Message, attempt: u64, way: Way, context: &WorkerContext) -> Message {
        let mut next = message.clone();
        (next.exchange, next.routing_key) = match way {
            Way::Nameko => {
                let key = names::rpc_routing_key(context.service(), context.entrypoint());
                (self.settings.rpc_exchange.clone(), key)
            }
            Way::Short => (names::DEFAULT_EXCHANGE, names::short_queue(context.service())),
        };
        next.properties.headers.set(HEADER, attempt);
        next
    }
}
