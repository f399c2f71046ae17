use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;

use super::PayloadError;
use crate::{
    codec::Format,
    protocol::{Headers, Message, Properties, excerpt},
};

/// A message as it came, for handlers that want more than its payload, or that know no type for it.
///
/// `Debug` shows neither the body nor the values of headers.
#[derive(Clone)]
pub struct RawDelivery {
    message: Arc<Message>,
    format: Option<Format>,
    redelivered: bool,
    attempt: u32,
}

impl RawDelivery {
    pub(crate) fn new(message: Arc<Message>, format: Option<Format>, redelivered: bool, attempt: u32) -> Self {
        Self { message, format, redelivered, attempt }
    }

    /// The body, still encoded.
    pub fn body(&self) -> &[u8] {
        &self.message.body
    }

    /// What the exchange routed it by: of an event, its type.
    pub fn routing_key(&self) -> &str {
        &self.message.routing_key
    }

    /// The exchange that it was published to.
    pub fn exchange(&self) -> &str {
        &self.message.exchange
    }

    /// All of AMQP's properties that kinoko knows.
    pub fn properties(&self) -> &Properties {
        &self.message.properties
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.message.properties.headers
    }

    /// Whether it may have been given to a worker before.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// Which attempt this is, counted from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Decodes the body by its content type.
    ///
    /// # Errors
    ///
    /// Where it is no `T`, or has a content type that no codec reads.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        let properties = &self.message.properties;
        // What kombu calls it in a header.
        if properties.headers.get("compression").is_some_and(|compression| !compression.is_null()) {
            return Err(PayloadError::new("the body is compressed: send it without `compression`"));
        }
        let Some(format) = &self.format else {
            return Err(PayloadError::new(match properties.content_type.as_deref() {
                Some(content_type) => format!("no codec for content type `{}`", excerpt(content_type)),
                None => "the message has no content type".to_owned(),
            }));
        };
        format.decode(&self.message.body).map_err(|error| PayloadError::new(error.to_string()))
    }
}

impl fmt::Debug for RawDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawDelivery").field("message", &self.message).field("attempt", &self.attempt).finish()
    }
}
