use std::{collections::BTreeMap, time::Duration};

use crate::{Result, Settings};

/// The settings below `otel.`.
#[derive(Clone)]
pub(super) struct OtelSettings {
    pub(super) endpoint: String,
    /// What every request carries, such as a token. Secret.
    pub(super) headers: BTreeMap<String, String>,
    /// What is true of all spans, beside the service.
    pub(super) resource: BTreeMap<String, String>,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) queue: usize,
}

impl OtelSettings {
    /// `None`: no collector is named.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>> {
        let headers: BTreeMap<String, String> = settings.get("otel.headers")?.unwrap_or_default();
        let resource: BTreeMap<String, String> = settings.get("otel.resource")?.unwrap_or_default();
        let interval = settings.duration("otel.interval", Duration::from_secs(1))?;
        let timeout = settings.duration("otel.timeout", Duration::from_secs(10))?;
        let queue = settings.get("otel.queue")?.unwrap_or(4_096);
        if interval.is_zero() || timeout.is_zero() {
            let key = if interval.is_zero() { "otel.interval" } else { "otel.timeout" };
            return Err(settings.refuse(key, "it is more than `0s`"));
        }
        if queue == 0 {
            return Err(settings.refuse("otel.queue", "0 would send nothing; leave `otel.endpoint` out for that"));
        }
        let Some(endpoint) = settings.get::<String>("otel.endpoint")? else { return Ok(None) };
        let is_tls = endpoint.starts_with("https://");
        if !is_tls && !endpoint.starts_with("http://") {
            return Err(
                settings.refuse("otel.endpoint", "it begins with `http://` or `https://`: `http://localhost:4317`")
            );
        }
        if is_tls && !cfg!(feature = "tls") {
            return Err(settings.refuse("otel.endpoint", "`https://` needs kinoko's feature `tls`"));
        }
        Ok(Some(Self { endpoint, headers, resource, interval, timeout, queue }))
    }
}
