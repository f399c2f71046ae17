//! What servers and clients read alike of the settings below `grpc.`.

use std::time::Duration;

use crate::{
    Result,
    config::Settings,
    server::{lasting, number},
};

/// The settings that mean the same on either side of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct SharedSettings {
    /// How long a call with one request and one response may take, where nobody else says.
    pub(super) timeout: Duration,
    /// The most bytes of a message that is read.
    pub(super) max_message_bytes: usize,
    /// How often a connection is asked whether its other side is there, and how long the answer may take.
    pub(super) keep_alive: (Duration, Duration),
}

impl SharedSettings {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that make no sense.
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        Ok(Self {
            timeout: lasting(settings, "grpc.timeout", Duration::from_secs(30))?,
            max_message_bytes: number(settings, "grpc.max_message_bytes", 4 * 1024 * 1024, 1)?,
            keep_alive: (
                lasting(settings, "grpc.keep_alive", Duration::from_secs(60))?,
                lasting(settings, "grpc.keep_alive_timeout", Duration::from_secs(20))?,
            ),
        })
    }
}
