//! What settings say of a server, whatever it serves.

use std::time::Duration;

use crate::{Result, config::Settings};

/// The least that a head may be: what is read at once.
const LEAST_HEADER_BYTES: usize = 8192;

/// What the settings of [`ConnectionLimits`] are called.
#[derive(Debug)]
pub(crate) struct ConnectionKeys {
    pub(crate) header_timeout: &'static str,
    pub(crate) idle_timeout: &'static str,
    pub(crate) max_header_bytes: &'static str,
    pub(crate) max_connections: &'static str,
}

/// What one connection may take of the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// How long a TLS handshake may take, and the head of a request.
    pub(crate) header_timeout: Duration,
    /// How long a connection may be there without a request, and a caller may read nothing of its answer.
    pub(crate) idle_timeout: Duration,
    /// The most bytes of a head.
    pub(crate) max_header_bytes: usize,
    /// The most connections at once.
    pub(crate) max_connections: usize,
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

impl ConnectionLimits {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that make no sense.
    pub(crate) fn read(settings: &Settings, keys: &ConnectionKeys, default: Self) -> Result<Self> {
        Ok(Self {
            header_timeout: lasting(settings, keys.header_timeout, default.header_timeout)?,
            idle_timeout: lasting(settings, keys.idle_timeout, default.idle_timeout)?,
            max_header_bytes: number(settings, keys.max_header_bytes, default.max_header_bytes, LEAST_HEADER_BYTES)?,
            max_connections: number(settings, keys.max_connections, default.max_connections, 1)?,
        })
    }
}

/// A duration that is not nothing.
pub(crate) fn lasting(settings: &Settings, key: &str, default: Duration) -> Result<Duration> {
    let duration = settings.duration(key, default)?;
    if duration.is_zero() {
        return Err(settings.refuse(key, "it must be more than 0s"));
    }
    Ok(duration)
}

/// A number up to what the system can count of anything.
pub(crate) fn number(settings: &Settings, key: &str, default: usize, least: usize) -> Result<usize> {
    let number = settings.get(key)?.unwrap_or(default);
    let most = tokio::sync::Semaphore::MAX_PERMITS.min(u32::MAX as usize);
    if number < least || number > most {
        return Err(settings.refuse(key, format!("{number} is out of bounds: the least is {least}, the most {most}")));
    }
    Ok(number)
}

/// Texts in a list, or in one text with commas between, as a variable has them.
pub(crate) fn texts(settings: &Settings, key: &str) -> Result<Option<Vec<String>>> {
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
