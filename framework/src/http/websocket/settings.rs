use std::time::Duration;

use crate::{Result, Settings};

/// What the settings say of websockets.
#[derive(Debug, Clone)]
pub(crate) struct SocketSettings {
    /// The pages that may connect beside those of the same host; `*` stands for all.
    pub(super) origins: Vec<String>,
    /// The largest message that is read.
    pub(super) max_message_bytes: usize,
    /// The most messages of one socket that are worked on, or whose answers wait to be written. No more are read meanwhile.
    pub(super) max_in_flight: usize,
    /// The most bytes of events that wait to be written to one socket.
    pub(super) max_pending_bytes: usize,
    /// How often a socket is pinged.
    pub(super) ping_interval: Duration,
    /// How long it may take to answer a ping, or to take what is written.
    pub(super) ping_timeout: Duration,
}

impl SocketSettings {
    pub(in crate::http) fn read(settings: &Settings) -> Result<Self> {
        let count = |key: &str, default: usize| match settings.get(key)?.unwrap_or(default) {
            0 => Err(settings.refuse(key, "at least 1")),
            count => Ok(count),
        };
        let time = |key: &str, default: u64| match settings.duration(key, Duration::from_secs(default))? {
            Duration::ZERO => Err(settings.refuse(key, "more than `0s`")),
            time => Ok(time),
        };
        let origins: Vec<String> = settings.get(ORIGINS)?.unwrap_or_default();
        if let Some(origin) = origins.iter().find(|origin| *origin != "*" && !is_origin(origin)) {
            let text = format!("`{origin}` is no origin: write `https://shop.example`, with no path, or `*` for all");
            return Err(settings.refuse(ORIGINS, text));
        }
        Ok(Self {
            origins,
            max_message_bytes: count("http.websocket.max_message_bytes", 1024 * 1024)?,
            max_in_flight: count("http.websocket.max_in_flight", 32)?,
            max_pending_bytes: count("http.websocket.max_pending_bytes", 1024 * 1024)?,
            ping_interval: time("http.websocket.ping_interval", 20)?,
            ping_timeout: time("http.websocket.ping_timeout", 20)?,
        })
    }
}

const ORIGINS: &str = "http.websocket.origins";

fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty() && !host.contains('/'))
}
