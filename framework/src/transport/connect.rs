use std::sync::Arc;

use super::{MemoryTransport, Transport};
use crate::{Error, ErrorKind, Result};

/// What a transport needs to know besides its URL.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// What the broker's operators see as the connection's name.
    pub connection_name: String,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self { connection_name: "kinoko".to_owned() }
    }
}

/// Opens the transport that a URL names: `memory://`, `memory://shared-name`, `amqp://user:password@host:port/vhost`.
///
/// Returns at once when the broker is away: the transport goes on trying by itself.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a URL that names no transport, or one whose feature is off;
/// [`ErrorKind::Refused`] for credentials or a virtual host that the broker does not accept.
pub async fn connect(url: &str, options: TransportOptions) -> Result<Arc<dyn Transport>> {
    match url.split_once("://") {
        Some(("memory", name)) => Ok(MemoryTransport::open(name)),
        #[cfg(feature = "amqp")]
        Some(("amqp" | "pyamqp", _)) => Ok(super::amqp::AmqpTransport::connect(url, options).await?),
        #[cfg(not(feature = "amqp"))]
        Some(("amqp" | "pyamqp", _)) => {
            let _ = options;
            Err(Error::new(
                ErrorKind::Config,
                "this program was built without RabbitMQ: enable kinoko's feature `amqp`",
            ))
        }
        Some((scheme, _)) => Err(Error::new(
            ErrorKind::Config,
            format!("no transport is called `{scheme}`: use `memory://` or `amqp://user:password@host:5672/vhost`"),
        )),
        // The text may be a URL that lost its scheme, password and all, so it is not repeated.
        None => Err(Error::new(
            ErrorKind::Config,
            "the broker's URL has no scheme: write `memory://` or `amqp://user:password@host:5672/vhost`",
        )),
    }
}
