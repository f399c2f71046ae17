//! Putting a new message in the place of a delivery: published, confirmed, and only then acknowledged.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{Lane, received::Received};
use crate::{
    Error, ErrorKind, Result,
    protocol::Message,
    transport::{MAX_DELAY, Queue, Topology, Transport},
};

/// What takes the place of a delivery.
pub(super) struct Successor {
    pub(super) message: Message,
    pub(super) delay: Duration,
    /// Its queue, where it may not be there yet.
    pub(super) declare: Option<Queue>,
}

/// How an attempt to put a successor in the place of a delivery ended.
pub(super) enum Replaced {
    Done,
    /// The delivery went back: the connection that brought it is lost, or the container stops.
    Back,
    /// It has no form on the wire.
    Unfit(Box<Received>, Error),
}

/// The first pause after the broker did not take a message; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Lane {
    /// Publishes until the broker has it, then acknowledges. As long as the broker does not take it, the delivery stays unsettled: with its
    /// connection it goes to somebody else.
    pub(super) async fn replace(&self, received: Received, successor: Successor) -> Replaced {
        let mut pause = FIRST_PAUSE;
        loop {
            let Ok(transport) = self.shared.transport() else { return Replaced::Back };
            let sent = tokio::select! {
                biased;
                () = received.connection.cancelled() => return Replaced::Back,
                sent = successor.send(&transport) => sent,
            };
            let error = match sent {
                Ok(()) => {
                    received.delivery.ack();
                    return Replaced::Done;
                }
                Err(error) if error.kind() == ErrorKind::Closed => return Replaced::Back,
                Err(error) if error.kind() == ErrorKind::Codec => {
                    return Replaced::Unfit(Box::new(received), error);
                }
                Err(error) => error,
            };
            let (service, method) = (self.shared.service_name, self.handler.method);
            let (queue, to, error) = (&*self.queue, &*successor.message.routing_key, error.chain());
            tracing::warn!(
                service,
                method,
                queue,
                to,
                ?pause,
                error,
                "the broker does not take a message that is to be tried again or kept, it is published once more after a pause"
            );
            tokio::select! {
                biased;
                () = received.connection.cancelled() => return Replaced::Back,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Successor {
    async fn send(&self, transport: &Arc<dyn Transport>) -> Result<()> {
        if !self.delay.is_zero() {
            // A handler may ask for more, and must not lose its message for it.
            return transport.publish_later(self.message.clone(), self.delay.min(MAX_DELAY)).await;
        }
        if transport.publish(self.message.clone()).await?.routed {
            return Ok(());
        }
        if let Some(queue) = &self.declare {
            transport.declare(Topology { queues: vec![queue.clone()], ..Topology::default() }).await?;
            if transport.publish(self.message.clone()).await?.routed {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("there is no queue `{}`", self.message.routing_key)))
    }
}
