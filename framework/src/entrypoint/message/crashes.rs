//! Messages that end the process which works them must not end every next one.
//!
//! The broker gives them to somebody else, again and again. What it says of that, `redelivered` or a count, is said as well of those which merely
//! were in the hands of a process that died, without having begun, and of those which somebody handed back. So the suspects are set apart
//! before they are judged: one that comes again is published once more, with its count, and comes back after a delay that grows and differs
//! from message to message, so that it meets the one that kills its process no more, or it is the one. And from the second time on it counts
//! only where a worker had [begun](super::begun) it.
//! Where an order must be kept, [`alone`](super::alone) finds it instead.

use std::time::Duration;

use super::{
    Lane,
    begun::Begun,
    policy,
    received::{Deliveries, Received},
    replace::{Replaced, Successor},
};
use crate::{
    protocol::{Fault, delivery_headers::reason},
    service::RetryPolicy,
};

/// How often a message is begun again before it is kept as a dead letter.
const MOST: u64 = 10;

/// No message comes again sooner, so that the broker has the acknowledgement of its predecessor: the two travel on different connections,
/// and a process that ends in between would leave both.
const LEAST_DELAY: Duration = Duration::from_millis(100);

/// Of those that come again more than once, whose delays are drawn at random.
const LEAST_FIRST_DELAY: Duration = Duration::from_millis(250);
const LEAST_LONGEST_DELAY: Duration = Duration::from_secs(8);

impl Lane {
    /// Looks at a delivery that was given to somebody before, it or one in whose place it is. `None`: it is settled, it is kept or comes
    /// again later.
    pub(super) async fn come_again(&self, received: Received) -> Option<Received> {
        if let Some(mark) = received.mark() {
            return self.suspected(received, mark).await;
        }
        let Deliveries { count, by_broker, .. } = received.deliveries();
        // Once is what a restart does, and the broker counts on.
        if !received.delivery.redelivered() || (by_broker && count == 1) {
            return Some(received);
        }
        // No verdict yet, however high: nobody has seen it begin.
        self.set_apart(received, count.min(MOST)).await
    }

    /// Begins one that has come again more than once, unless it was begun already and is here again.
    async fn suspected(&self, mut received: Received, mark: Begun) -> Option<Received> {
        let redelivered = received.delivery.redelivered();
        let connection = received.connection.clone();
        let begun = tokio::select! {
            biased;
            () = connection.cancelled() => return None,
            begun = self.begin(&mark, redelivered) => begun,
        };
        match begun {
            Ok(false) => {
                received.begun = Some(mark);
                return Some(received);
            }
            Ok(true) => {}
            Err(error) => {
                let (service, method, queue) = (self.shared.service_name, self.handler.method, &*self.queue);
                tracing::warn!(
                    service,
                    method,
                    queue,
                    error = error.chain(),
                    "a message that comes again cannot be marked as begun"
                );
                // The next time it counts.
                if !redelivered {
                    return Some(received);
                }
            }
        }
        let count = received.deliveries().before.saturating_add(1);
        let again = if count > MOST {
            let (fault, attempt) = (self.crashed(count), received.attempt);
            self.keep(received, reason::CRASHED, &fault, attempt).await;
            None
        } else {
            self.set_apart(received, count).await
        };
        self.end(mark).await;
        again
    }

    /// Publishes it once more, to come later.
    async fn set_apart(&self, received: Received, count: u64) -> Option<Received> {
        let (service, method, queue) = (self.shared.service_name, self.handler.method, &*self.queue);
        let delay = match count {
            1 => LEAST_DELAY,
            _ => policy::delay(&apart(&self.handler.handling.retry), later(count)),
        };
        let message = received.same_attempt(&self.queue, count);
        match self.replace(received, Successor { message, delay, declare: None }).await {
            Replaced::Done if count == 1 => {
                tracing::debug!(
                    service,
                    method,
                    queue,
                    "a message that was handed back, or whose worker came to no end, comes again"
                );
                None
            }
            Replaced::Done => {
                tracing::warn!(
                    service,
                    method,
                    queue,
                    count,
                    ?delay,
                    "a message whose workers come to no end comes again later"
                );
                None
            }
            Replaced::Back => None,
            // Better uncounted than never.
            Replaced::Unfit(received, error) => {
                tracing::warn!(
                    service,
                    method,
                    queue,
                    error = error.chain(),
                    "the deliveries of a message cannot be counted"
                );
                Some(*received)
            }
        }
    }

    pub(super) fn crashed(&self, count: u64) -> Fault {
        let text = format!(
            "`{}.{}` was given this message {count} times and never came to an end: its process died or lost the broker each time",
            self.shared.service_name, self.handler.method
        );
        Fault { retryable: Some(false), ..Fault::internal("TooManyDeliveries", text) }
    }
}

/// The handler's delays, but spread over seconds at last, and over each other: equal ones would bring together again what is to be set apart.
fn apart(retry: &RetryPolicy) -> RetryPolicy {
    let (first, longest) = (retry.first.max(LEAST_FIRST_DELAY), retry.longest.max(LEAST_LONGEST_DELAY));
    RetryPolicy { first, longest, jitter: true, ..*retry }
}

/// Which of the policy's delays follows so many deliveries.
fn later(count: u64) -> u32 {
    u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX)
}
