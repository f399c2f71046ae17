//! One publish: a value until it is awaited.

use std::{
    fmt,
    future::IntoFuture,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;

use super::{
    DispatchError,
    attempts::Declaration,
    sending::{Sending, common_setters},
};
use crate::{
    dependency::OptionValue,
    protocol::{Name, Value, context_data, names},
    transport::Published,
};

/// A message for an exchange or a queue, not yet sent. Await it for the broker's confirm.
///
/// It is encoded and has its message id already, as a [`Dispatch`](super::Dispatch), with the same time limit, the same way with a
/// connection that is lost, and the context of the worker that made it in its headers. Properties that nothing sets are absent, but for
/// priority 0 and delivery mode 2 (persistent), which Nameko sends as well, and the message id.
///
/// # Cancel safety
///
/// Dropped while it is awaited, the message was published or not.
///
/// # Examples
///
/// ```
/// use kinoko::{DispatchError, Publisher};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let publisher = Publisher::connect("memory://").await?;
/// let message = publisher.publish(&json!({"to": "ada@example.org"})).to_queue("mails").expiration("1h").priority(5);
/// let error = message.clone().await.unwrap_err();
/// assert_eq!(error.to_string(), "no queue `mails`");
/// assert!(!message.mandatory(false).await?.routed, "it went nowhere, and nobody minds");
/// # publisher.close().await; Ok(()) }
/// ```
#[must_use = "a message is not published until this is awaited"]
#[derive(Clone)]
pub struct Publish {
    pub(super) sending: Sending,
    pub(super) declaration: Option<Arc<Declaration>>,
    /// Whether anybody said where it goes.
    pub(super) placed: bool,
    pub(super) mandatory: bool,
}

/// Setters of properties that are texts.
macro_rules! texts {
    ($($(#[$doc:meta])* $property:ident as $setter:ident)*) => {$(
        $(#[$doc])*
        pub fn $setter(mut self, text: impl Into<Name>) -> Self {
            let text = text.into();
            self.sending.set(|properties| properties.$property = Some(text));
            self
        }
    )*};
}

impl Publish {
    /// Sends it to this queue, by the default exchange.
    pub fn to_queue(self, queue: impl Into<Name>) -> Self {
        self.to(names::DEFAULT_EXCHANGE, queue.into())
    }

    /// Sends it to this exchange, with this routing key.
    pub fn to_exchange(self, exchange: impl Into<Name>, routing_key: impl Into<Name>) -> Self {
        self.to(exchange.into(), routing_key.into())
    }

    fn to(mut self, exchange: Name, routing_key: Name) -> Self {
        self.placed = true;
        self.sending.change(|message| (message.exchange, message.routing_key) = (exchange, routing_key));
        self
    }

    /// Sends it with this routing key, to the exchange that is set already.
    pub fn routing_key(mut self, routing_key: impl Into<Name>) -> Self {
        let routing_key = routing_key.into();
        self.sending.change(|message| message.routing_key = routing_key);
        self
    }

    /// Whether it is an error ([`DispatchError::Unroutable`]) that no queue takes it. Default: it is. That its exchange does not exist is one
    /// in any case.
    pub fn mandatory(mut self, mandatory: bool) -> Self {
        self.mandatory = mandatory;
        self
    }

    /// Whether it survives a restart of the broker in a durable queue. Default: it does.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.sending.set(|properties| properties.persistent = persistent);
        self
    }

    /// How long it is worth delivering, a [`Duration`] or a text such as `1m`: what is older is dropped from its queue.
    pub fn expiration(mut self, after: impl OptionValue<Duration>) -> Self {
        if let Some(after) = self.sending.duration(after) {
            self.sending.set(|properties| properties.expiration = Some(after));
        }
        self
    }

    /// When it was made, which AMQP knows to the second.
    pub fn timestamp(mut self, time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // Among kinoko's own requests this property counts milliseconds; here it is for others, who read AMQP's seconds.
        self.sending.set(|properties| properties.timestamp_ms = Some(seconds));
        self
    }

    texts! {
        /// Says how the body is encoded, instead of what the codec says.
        content_type as content_type
        /// Says the text's encoding, such as `utf-8`, or `binary`; some call a compression so.
        content_encoding as content_encoding
        /// What ties it to another message.
        correlation_id as correlation_id
        /// Where an answer is to go.
        reply_to as reply_to
        /// AMQP's `type`: what the message is.
        kind as message_type
        /// Which program made it.
        app_id as app_id
        /// The broker's user who publishes it. The broker refuses any other one than the connection's.
        user_id as user_id
    }

    /// Sends it to its place after this time, a [`Duration`] or a text such as `5m`, at most
    /// [`MAX_DELAY`](crate::transport::MAX_DELAY). The broker keeps it until then, whatever becomes of this program. Whether its place is there
    /// shows only then, so nobody is told. RabbitMQ does not heed the [`expiration`](Self::expiration) of what it kept for a while.
    pub fn after(mut self, delay: impl OptionValue<Duration>) -> Self {
        self.sending.after(delay);
        self
    }

    /// Refuses a message that goes nowhere.
    pub(super) fn check(&self) -> Result<(), DispatchError> {
        if !self.placed {
            let text = "no queue and no exchange is named: `to_queue`, `to_exchange`, or the field's `#[dependency(queue = \"…\")]`";
            return Err(DispatchError::Invalid(text.to_owned()));
        }
        Ok(())
    }
}

common_setters!(Publish);

impl IntoFuture for Publish {
    type Output = Result<Published, DispatchError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.check()?;
            let (message, published) = self.sending.send(self.declaration).await?;
            if !published.routed && self.mandatory {
                let (exchange, routing_key) = (message.exchange.to_string(), message.routing_key.to_string());
                return Err(DispatchError::Unroutable { exchange, routing_key });
            }
            Ok(published)
        })
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No payload: it may hold secrets.
        let place = self.sending.message().map(|message| (&message.exchange, &message.routing_key));
        f.debug_struct("Publish").field("place", &place).finish_non_exhaustive()
    }
}
