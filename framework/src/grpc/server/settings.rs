//! What the program's settings say of its gRPC server.

use std::{net::SocketAddr, time::Duration};

use crate::{
    Result,
    config::Settings,
    grpc::settings::SharedSettings,
    server::{Address, ConnectionKeys, ConnectionLimits, Protocol, TlsFiles, TlsKeys, lasting, number},
};

const LIMITS: ConnectionKeys = ConnectionKeys {
    header_timeout: "grpc.header_timeout",
    idle_timeout: "grpc.idle_timeout",
    max_header_bytes: "grpc.max_header_bytes",
    max_connections: "grpc.max_connections",
};

const TLS: TlsKeys =
    TlsKeys { certificate: "grpc.tls.certificate", key: "grpc.tls.key", client_ca: "grpc.tls.client_ca" };

/// Channels stay open for long without a call: pings find those that are dead.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The settings below `grpc.`.
#[derive(Debug, Clone)]
pub(crate) struct GrpcSettings {
    pub(super) address: Address,
    pub(super) limits: ConnectionLimits,
    pub(super) protocol: Protocol,
    pub(super) tls: Option<TlsFiles>,
    pub(super) calls: CallSettings,
    /// Whether the program tells what it serves, to who asks by reflection.
    pub(super) reflection: bool,
}

/// What holds for calls, where their method does not say otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallSettings {
    /// How long a worker for one request may run; one for a stream has no limit but its caller's.
    pub(super) timeout: Duration,
    /// How long a message may keep its reader waiting, where one is all that comes.
    pub(super) body_timeout: Duration,
    /// The most bytes of a message.
    pub(super) max_message_bytes: usize,
    /// The most that wait for a worker of one service.
    pub(super) max_waiting: usize,
    /// Whether answers are compressed for all who can read it; else for those who compress themselves.
    pub(super) compression: bool,
}

impl GrpcSettings {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that make no sense.
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        let default = ConnectionLimits { idle_timeout: IDLE_TIMEOUT, ..ConnectionLimits::default() };
        let SharedSettings { timeout, max_message_bytes, keep_alive } = SharedSettings::read(settings)?;
        let max_streams = number(settings, "grpc.max_concurrent_streams", 200, 1)?;
        Ok(Self {
            address: Address::read(settings, "grpc.address", SocketAddr::from(([127, 0, 0, 1], 50051)))?,
            limits: ConnectionLimits::read(settings, &LIMITS, default)?,
            protocol: Protocol {
                is_http2_only: true,
                max_streams: Some(u32::try_from(max_streams).unwrap_or(u32::MAX)),
                keep_alive: Some(keep_alive),
            },
            tls: TlsFiles::read(settings, &TLS)?,
            calls: CallSettings {
                timeout,
                body_timeout: lasting(settings, "grpc.body_timeout", Duration::from_secs(10))?,
                max_message_bytes,
                max_waiting: number(settings, "grpc.max_waiting", 1024, 0)?,
                compression: settings.get("grpc.compression")?.unwrap_or(false),
            },
            reflection: settings.get("grpc.reflection")?.unwrap_or(true),
        })
    }
}
