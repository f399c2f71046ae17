//! What the program's settings say of its HTTP server.

use std::net::SocketAddr;

use super::{super::entrypoint::RouteDefaults, cors::CorsSettings};
use crate::{
    Result,
    config::Settings,
    server::{Address, ConnectionKeys, ConnectionLimits, TlsFiles, TlsKeys, lasting, number},
};

const LIMITS: ConnectionKeys = ConnectionKeys {
    header_timeout: "http.header_timeout",
    idle_timeout: "http.idle_timeout",
    max_header_bytes: "http.max_header_bytes",
    max_connections: "http.max_connections",
};

const TLS: TlsKeys =
    TlsKeys { certificate: "http.tls.certificate", key: "http.tls.key", client_ca: "http.tls.client_ca" };

/// The settings below `http.`.
#[derive(Debug, Clone)]
pub(crate) struct HttpSettings {
    pub(in crate::http) address: Address,
    pub(in crate::http) limits: ConnectionLimits,
    /// What holds for requests, where their route does not say otherwise.
    pub(crate) requests: RouteDefaults,
    pub(in crate::http) cors: Option<CorsSettings>,
    pub(in crate::http) compression: bool,
    /// Whether the program shows its documents, and the page to read them.
    pub(in crate::http) docs: bool,
    pub(in crate::http) tls: Option<TlsFiles>,
}

impl HttpSettings {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that make no sense.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let limits = ConnectionLimits::read(settings, &LIMITS, ConnectionLimits::default())?;
        let default = RouteDefaults::default();
        let requests = RouteDefaults {
            timeout: lasting(settings, "http.timeout", default.timeout)?,
            body_timeout: lasting(settings, "http.body_timeout", default.body_timeout)?,
            max_body_bytes: number(settings, "http.max_body_bytes", default.max_body_bytes, 0)?,
            max_waiting: number(settings, "http.max_waiting", default.max_waiting, 0)?,
        };
        Ok(Self {
            address: Address::read(settings, "http.address", SocketAddr::from(([127, 0, 0, 1], 8000)))?,
            limits,
            requests,
            cors: CorsSettings::read(settings)?,
            compression: settings.get("http.compression")?.unwrap_or(true),
            docs: settings.get("http.docs")?.unwrap_or(true),
            tls: TlsFiles::read(settings, &TLS)?,
        })
    }
}
