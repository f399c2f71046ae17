//! A message that is written down first and goes out later: what an outbox asks of the sending side.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    Dispatch, DispatchError, Publish, Recorded,
    sender::{Sender, Target},
    sending::{Sending, fits},
};
use crate::{
    ErrorKind, Result,
    protocol::{Message, Name},
    transport::{Published, Transport},
};

/// A message that is ready to be written down.
pub(crate) struct Prepared {
    pub(crate) message: Message,
    /// How long it is to wait.
    pub(crate) delay: Duration,
    /// Of an event: whose it is.
    pub(crate) source: Option<Name>,
    /// That nobody takes it is an error.
    pub(crate) required: bool,
    sender: Arc<Sender>,
}

impl Prepared {
    /// `None`: it goes to a broker. Otherwise a test looks at it.
    pub(crate) fn recorded(&self) -> Option<&Recorded> {
        match &self.sender.target {
            Target::Recorded(recorded) => Some(recorded),
            _ => None,
        }
    }

    /// What identifies it.
    pub(crate) fn message_id(&self) -> Name {
        self.message.properties.message_id.clone().unwrap_or_default()
    }
}

impl Recorded {
    /// Keeps what would go out by now.
    pub(crate) fn take(&self, prepared: &Prepared) {
        let due = (!prepared.delay.is_zero()).then(|| Instant::now() + prepared.delay);
        self.keep(&prepared.message, due);
    }
}

impl Dispatch {
    /// What [`Dispatch`] would send, and refuses before it sends it.
    pub(crate) fn prepare(self) -> Result<Prepared, DispatchError> {
        self.check()?;
        self.sending.prepare(Some(self.source), self.required)
    }
}

impl Publish {
    /// What [`Publish`] would send, and refuses before it sends it.
    pub(crate) fn prepare(self) -> Result<Prepared, DispatchError> {
        self.check()?;
        self.sending.prepare(None, self.mandatory)
    }
}

impl Sending {
    fn prepare(self, source: Option<Name>, required: bool) -> Result<Prepared, DispatchError> {
        let delay = self.delay.since(SystemTime::now());
        let message = self.message?;
        fits(&message)?;
        self.sender.check_size(&message)?;
        Ok(Prepared { message, delay, source, required, sender: self.sender })
    }
}

impl Sender {
    /// Publishes what was prepared, once. While the broker is away it waits, and how long is the caller's to say.
    ///
    /// # Errors
    ///
    /// As [`Transport::publish`](crate::transport::Transport::publish).
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub(crate) async fn publish_once(&self, message: Message, source: Option<&Name>) -> Result<Published> {
        let transport = match &self.target {
            Target::Shared(transport) | Target::Own(transport) => transport,
            Target::Recorded(recorded) => return Ok(recorded.keep(&message, None)),
        };
        let published = self.publish_to(&**transport, message, source).await;
        self.observer.published.count(published.as_ref().ok().copied());
        published
    }

    async fn publish_to(
        &self,
        transport: &dyn Transport,
        message: Message,
        source: Option<&Name>,
    ) -> Result<Published> {
        let Some(source) = source else { return transport.publish(message).await };
        let exchange = self.events_of(source);
        exchange.ensure(transport).await?;
        match transport.publish(message.clone()).await {
            // It was there, and the broker lost it.
            Err(error) if error.kind() == ErrorKind::NoExchange => {
                exchange.again(transport).await?;
                transport.publish(message).await
            }
            published => published,
        }
    }

    /// Nobody listened to an event that was published, which its dispatcher does not see.
    pub(crate) fn unheard(&self, source: &Name, event: &Name, required: bool) {
        self.unrouted.add(source, event, required);
    }
}
