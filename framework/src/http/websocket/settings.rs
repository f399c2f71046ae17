use std::time::Duration;

use crate::{
    Result, Settings,
    http::origin::Origins,
    server::{lasting, number},
};

/// What the settings say of websockets.
#[derive(Debug, Clone)]
pub(crate) struct SocketSettings {
    /// The pages that may connect beside those of the same host.
    pub(super) origins: Origins,
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
        let origins = Origins::read(settings, "http.websocket.origins")?;
        let twenty_seconds = Duration::from_secs(20);
        Ok(Self {
            origins,
            max_message_bytes: number(settings, "http.websocket.max_message_bytes", 1024 * 1024, 1)?,
            max_in_flight: number(settings, "http.websocket.max_in_flight", 32, 1)?,
            max_pending_bytes: number(settings, "http.websocket.max_pending_bytes", 1024 * 1024, 1)?,
            ping_interval: lasting(settings, "http.websocket.ping_interval", twenty_seconds)?,
            ping_timeout: lasting(settings, "http.websocket.ping_timeout", twenty_seconds)?,
        })
    }
}
