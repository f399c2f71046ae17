//! What the program's settings say of its gRPC clients.

use std::{path::PathBuf, time::Duration};

use tonic::transport::Endpoint;

use crate::{Result, config::Settings, grpc::settings::SharedSettings, server::lasting};

/// How long to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings below `grpc.` that clients have.
#[derive(Debug, Clone)]
pub(super) struct ClientSettings {
    pub(super) shared: SharedSettings,
    pub(super) compression: bool,
    pub(super) parents_tracked: usize,
    connect_timeout: Duration,
    tls: Option<Tls>,
}

impl ClientSettings {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that make no sense.
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        Ok(Self {
            shared: SharedSettings::read(settings)?,
            compression: settings.get("grpc.client.compression")?.unwrap_or(false),
            parents_tracked: settings
                .get("parent_calls_tracked")?
                .unwrap_or(crate::protocol::context_data::PARENT_CALLS_TRACKED),
            connect_timeout: lasting(settings, "grpc.client.connect_timeout", CONNECT_TIMEOUT)?,
            tls: Tls::read(settings)?,
        })
    }

    /// A connection in this process.
    #[cfg(feature = "testing")]
    pub(super) fn in_memory(&self, connect: crate::server::Connect) -> tonic::transport::Channel {
        let connect =
            move |_: http::Uri| std::future::ready(Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(connect())));
        Endpoint::from_static("http://in.memory").connect_with_connector_lazy(tower::service_fn(connect))
    }

    /// A connection to an address, not yet made: `http://127.0.0.1:50051`, `https://…`, or the host and the port alone.
    ///
    /// # Errors
    ///
    /// For what is no address.
    pub(super) fn endpoint(&self, address: &str) -> Result<Endpoint, String> {
        let is_tls = self.tls.is_some() || address.starts_with("https://");
        let uri = match address.contains("://") {
            true => address.to_owned(),
            false => format!("{}://{address}", if is_tls { "https" } else { "http" }),
        };
        let (keep_alive, keep_alive_timeout) = self.shared.keep_alive;
        let endpoint = Endpoint::from_shared(uri)
            .map_err(|_| format!("`{address}` is no address: write `http://127.0.0.1:50051`"))?
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(keep_alive)
            .keep_alive_timeout(keep_alive_timeout)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        if is_tls { tls(endpoint, self.tls.as_ref()) } else { Ok(endpoint) }
    }
}

/// The files that TLS needs.
#[derive(Debug, Clone, Default)]
struct Tls {
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    domain: Option<String>,
}

impl Tls {
    /// `None` where nothing is said: then addresses with `https://` are verified by the system's certificates.
    fn read(settings: &Settings) -> Result<Option<Self>> {
        let tls = Self {
            ca: file(settings, "grpc.client.tls.ca")?,
            certificate: file(settings, "grpc.client.tls.certificate")?,
            key: file(settings, "grpc.client.tls.key")?,
            domain: settings.get::<String>("grpc.client.tls.domain")?.filter(|domain| !domain.is_empty()),
        };
        if tls.key.is_some() && tls.certificate.is_none() {
            let text = "there is a key, but no certificate: name its file as `grpc.client.tls.certificate`";
            return Err(settings.refuse("grpc.client.tls.key", text));
        }
        let any = tls.ca.is_some() || tls.certificate.is_some() || tls.domain.is_some();
        Ok(any.then_some(tls))
    }
}

/// A variable that is empty names nothing.
fn file(settings: &Settings, key: &str) -> Result<Option<PathBuf>> {
    Ok(settings.get::<PathBuf>(key)?.filter(|file| !file.as_os_str().is_empty()))
}

#[cfg(feature = "tls")]
fn tls(endpoint: Endpoint, tls: Option<&Tls>) -> Result<Endpoint, String> {
    use tonic::transport::{Certificate, ClientTlsConfig, Identity};

    let read = |file: &PathBuf, what: &str, option: &str| {
        std::fs::read(file)
            .map_err(|error| format!("the file of {what} (`{option}`), `{}`, cannot be read: {error}", file.display()))
    };
    let mut config = ClientTlsConfig::new();
    match tls.and_then(|tls| tls.ca.as_ref()) {
        Some(ca) => {
            config = config.ca_certificate(Certificate::from_pem(read(ca, "CA certificates", "grpc.client.tls.ca")?));
        }
        None => config = config.with_native_roots(),
    }
    if let Some(tls) = tls {
        if let Some(certificate) = &tls.certificate {
            let key = tls.key.as_ref().unwrap_or(certificate);
            let identity = Identity::from_pem(
                read(certificate, "the client's certificate", "grpc.client.tls.certificate")?,
                read(key, "the client's key", "grpc.client.tls.key")?,
            );
            config = config.identity(identity);
        }
        if let Some(domain) = &tls.domain {
            config = config.domain_name(domain.clone());
        }
    }
    endpoint.tls_config(config).map_err(|error| format!("TLS of gRPC clients cannot be set up: {error}"))
}

#[cfg(not(feature = "tls"))]
fn tls(_: Endpoint, _: Option<&Tls>) -> Result<Endpoint, String> {
    Err("this program speaks no TLS: build it with kinoko's feature `tls`, or leave `grpc.client.tls` out".to_owned())
}
