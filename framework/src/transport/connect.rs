use std::{sync::Arc, time::Duration};

use super::{MemoryTransport, Transport};
use crate::{
    Error, ErrorKind, Result,
    config::Settings,
    protocol::{Name, names},
};

/// What a transport needs to know besides its URL.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// What the broker's operators see as the connection's name.
    pub connection_name: String,
    /// The exchange that replies come through, besides the default one: Nameko's `rpc_exchange`. Default: `nameko-rpc`.
    pub rpc_exchange: Name,
    /// The heartbeat that is asked of the broker, in whole seconds; zero is none. Default: 5 s.
    ///
    /// It is for the broker to notice that this program is gone; that the broker is gone is noticed sooner by a probe.
    pub heartbeat: Duration,
}

impl TransportOptions {
    /// Those that settings say: `rpc_exchange` and `heartbeat`.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let defaults = Self::default();
        let rpc_exchange = settings.get::<String>("rpc_exchange")?.map_or(defaults.rpc_exchange, Name::from);
        if rpc_exchange.is_empty() || rpc_exchange.len() > 255 {
            return Err(settings.refuse("rpc_exchange", "an exchange's name has 1 to 255 bytes"));
        }
        let heartbeat = settings.duration("heartbeat", defaults.heartbeat)?;
        if heartbeat.subsec_nanos() != 0 || heartbeat.as_secs() > u16::MAX.into() {
            return Err(settings
                .refuse("heartbeat", "a heartbeat is from `1s` to `65535s`, in whole seconds, or `0s` for none"));
        }
        Ok(Self { rpc_exchange, heartbeat, ..defaults })
    }
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            connection_name: "kinoko".to_owned(),
            rpc_exchange: names::RPC_EXCHANGE,
            heartbeat: Duration::from_secs(5),
        }
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
        Some(("memory", name)) => Ok(MemoryTransport::open_with(name, options.rpc_exchange)),
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
