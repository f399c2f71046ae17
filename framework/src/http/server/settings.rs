//! What the program's settings say of its HTTP server.

use std::{net::SocketAddr, time::Duration};

use super::{super::entrypoint::RouteDefaults, cors::CorsSettings, listener::Address, tls::TlsFiles};
use crate::{Result, config::Settings};

/// The least that `http.max_header_bytes` may be: what is read at once.
const LEAST_HEADER_BYTES: usize = 8192;

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

/// What one connection may take of the program.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct ConnectionLimits {
    /// How long a TLS handshake may take, and the head of a request.
    pub(in crate::http) header_timeout: Duration,
    /// How long a connection may be there without a request, and a caller may read nothing of its answer.
    pub(in crate::http) idle_timeout: Duration,
    /// The most bytes of a head.
    pub(in crate::http) max_header_bytes: usize,
    /// The most connections at once.
    pub(in crate::http) max_connections: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            max_header_bytes: 16_384,
            max_connections: 10_000,
        }
    }
}

impl HttpSettings {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that make no sense.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let default = ConnectionLimits::default();
        let limits = ConnectionLimits {
            header_timeout: lasting(settings, "http.header_timeout", default.header_timeout)?,
            idle_timeout: lasting(settings, "http.idle_timeout", default.idle_timeout)?,
            max_header_bytes: number(settings, "http.max_header_bytes", default.max_header_bytes, LEAST_HEADER_BYTES)?,
            max_connections: number(settings, "http.max_connections", default.max_connections, 1)?,
        };
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
            tls: TlsFiles::read(settings)?,
        })
    }
}

/// A duration that is not nothing.
pub(in crate::http) fn lasting(settings: &Settings, key: &str, default: Duration) -> Result<Duration> {
    let duration = settings.duration(key, default)?;
    if duration.is_zero() {
        return Err(settings.refuse(key, "it must be more than 0s"));
    }
    Ok(duration)
}

/// A number up to what the system can count of anything.
pub(in crate::http) fn number(settings: &Settings, key: &str, default: usize, least: usize) -> Result<usize> {
    let number = settings.get(key)?.unwrap_or(default);
    let most = tokio::sync::Semaphore::MAX_PERMITS.min(u32::MAX as usize);
    if number < least || number > most {
        return Err(settings.refuse(key, format!("{number} is out of bounds: the least is {least}, the most {most}")));
    }
    Ok(number)
}

/// Texts in a list, or in one text with commas between, as a variable has them.
pub(in crate::http) fn texts(settings: &Settings, key: &str) -> Result<Option<Vec<String>>> {
    use crate::protocol::Value;
    match settings.get::<Value>(key)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
            Ok(Some(texts.map(str::to_owned).collect()))
        }
        Some(_) => settings.get::<Vec<String>>(key),
    }
}
