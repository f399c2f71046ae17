use std::{sync::Arc, time::Duration};

use super::{Login, MemoryTransport, Tls, Transport};
use crate::{
    Error, ErrorKind, Result,
    config::Settings,
    protocol::{Name, names},
};

/// What a transport needs to know besides its URL, which may say the same and goes over it.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// What the broker's operators see as the connection's name. Default: `kinoko`.
    pub connection_name: String,
    /// Connects by TLS, also where the URL begins with `amqp://`. Default: as the URL says.
    pub tls: Option<Tls>,
    /// How this program tells the broker who it is. Default: by user and password.
    pub login: Login,
    /// The exchange that replies come through, besides the default one: Nameko's `rpc_exchange`. Default: `nameko-rpc`.
    pub rpc_exchange: Name,
    /// The heartbeat that is asked of the broker, in whole seconds; zero is none. Default: 5 s.
    ///
    /// It is for the broker to notice that this program is gone; that the broker is gone is noticed sooner by a probe.
    pub heartbeat: Duration,
    /// How often all that was declared is declared again, at most, so that a binding or an exchange comes back that somebody deleted; zero
    /// is never. Default: 30 s. In memory nothing can be deleted.
    pub redeclare_interval: Duration,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            connection_name: "kinoko".to_owned(),
            tls: None,
            login: Login::default(),
            rpc_exchange: names::RPC_EXCHANGE,
            heartbeat: Duration::from_secs(5),
            redeclare_interval: Duration::from_secs(30),
        }
    }
}

impl TransportOptions {
    /// What the settings `amqp_tls`, `login_method`, `rpc_exchange`, `heartbeat` and `redeclare_interval` say, under a name of the connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a value that none of them can have, and for one that would switch verification off.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::{Settings, transport::TransportOptions};
    ///
    /// let settings = Settings::from_yaml("amqp_tls: {ca: /etc/orders/ca.pem}")?;
    /// let options = TransportOptions::from_settings("orders", &settings)?;
    /// assert!(options.tls.unwrap().ca.unwrap().ends_with("ca.pem"));
    /// # Ok::<(), kinoko::Error>(())
    /// ```
    pub fn from_settings(connection_name: impl Into<String>, settings: &Settings) -> Result<Self> {
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
        Ok(Self {
            connection_name: connection_name.into(),
            tls: Tls::from_settings(settings)?,
            login: Login::from_settings(settings)?,
            rpc_exchange,
            heartbeat,
            redeclare_interval: settings.duration("redeclare_interval", defaults.redeclare_interval)?,
        })
    }
}

/// Opens the transport that a URL names: `memory://`, `memory://shared-name`, `amqp://user:password@host:port/vhost`,
/// `amqps://…` for TLS, or a list of the last two with `;` between them.
///
/// Returns when the first attempt is over, at the latest: a transport whose broker is away goes on trying by itself.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a URL that names no transport or one whose feature is off, and for certificate files that cannot be used;
/// [`ErrorKind::Refused`] for credentials or a virtual host that the broker does not accept, and for a broker whose certificate is
/// not trusted. Of a list, each broker must refuse.
pub async fn connect(url: &str, options: TransportOptions) -> Result<Arc<dyn Transport>> {
    match url.split_once("://") {
        Some(("memory", name)) => Ok(MemoryTransport::open_with(name, options.rpc_exchange)),
        #[cfg(feature = "amqp")]
        Some(("amqp" | "pyamqp" | "amqps", _)) => Ok(super::amqp::AmqpTransport::connect(url, options).await?),
        #[cfg(not(feature = "amqp"))]
        Some(("amqp" | "pyamqp" | "amqps", _)) => {
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
