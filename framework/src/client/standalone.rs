//! A client for programs that are no service.

use std::{fmt, sync::Arc};

use super::{ClientSettings, RpcClient, ServiceClient, ServiceProxy, TypedClient};
use crate::{
    Result,
    codec::Codecs,
    config::Settings,
    observe::Observer,
    task::Tasks,
    transport::{Transport, TransportOptions, connect},
};

/// Calls services from a program that is none itself. Cheap to clone, safe to share.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> kinoko::Result<()> {
/// let client = kinoko::Client::connect("amqp://guest:guest@localhost:5672/").await?;
/// let greeting = client.proxy().call("greeting_service", "hello").kwarg("name", "Ada").await?;
/// println!("{greeting}");
/// client.close().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    rpc: Arc<RpcClient>,
    transport: Arc<dyn Transport>,
}

impl Client {
    /// Connects to a broker: `amqp://…`, or `memory://name` for the one that an [`App`](crate::App) in this process uses.
    ///
    /// Returns at once when the broker is away: calls wait for it until their deadline.
    ///
    /// # Errors
    ///
    /// As [`transport::connect`](crate::transport::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing stays connected.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, &Settings::default()).await
    }

    /// The same with settings: `rpc_timeout`, `rpc_codec`, `serializer`, `max_body_bytes`, `parent_calls_tracked`, and for the
    /// connection `rpc_exchange`, `heartbeat`, `amqp_tls` and `login_method`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and for settings of the wrong type.
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, settings: &Settings) -> Result<Self> {
        let options = TransportOptions::from_settings("kinoko client", settings)?;
        let settings = ClientSettings::read(settings, &options)?;
        let transport = connect(url, options).await?;
        let codecs = Arc::new(Codecs::default());
        let rpc = RpcClient::new(
            transport.clone(),
            "standalone_rpc_client",
            codecs,
            settings,
            &Tasks::new(),
            Observer::off(),
        );
        Ok(Self { rpc, transport })
    }

    /// The typed client of a service.
    pub fn service<C: TypedClient>(&self) -> C {
        C::from_client(ServiceClient::remote(self.rpc.clone(), C::SERVICE.into(), None))
    }

    /// A client that calls any service by name.
    pub fn proxy(&self) -> ServiceProxy {
        ServiceProxy::new(self.rpc.clone(), None)
    }

    #[cfg(feature = "cli")]
    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// How many calls wait for a reply at the moment.
    pub fn pending_calls(&self) -> usize {
        self.rpc.pending()
    }

    /// Closes the connection; calls that still wait fail.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the connection closes all the same.
    pub async fn close(&self) {
        self.transport.close().await;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("transport", &self.transport).finish_non_exhaustive()
    }
}
