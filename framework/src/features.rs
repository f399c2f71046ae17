//! What the features of this build add to every program: the one place where the container meets what stands above it.

use std::sync::Arc;

use crate::{Result, Settings, container::MakeGateway, observe::SpanSink};

/// The ways into a program beside the queues of its services. Those behind others may look at what these left in the extensions.
pub(crate) const GATEWAYS: &[MakeGateway] = &[
    crate::discovery::BrokerDiscovery::make,
    #[cfg(feature = "http")]
    crate::http::HttpGateway::make,
    #[cfg(feature = "grpc")]
    crate::grpc::GrpcGateway::make,
    // It opens last and closes first: what it tells others of is open meanwhile.
    #[cfg(feature = "consul")]
    crate::discovery::ConsulGateway::make,
];

/// Where spans go beside memory.
#[allow(clippy::unnecessary_wraps, unused_variables, reason = "only a feature sends them anywhere")]
pub(crate) fn span_sinks(
    settings: &Settings,
    version: Option<&str>,
    broker: &str,
) -> Result<Option<Arc<dyn SpanSink>>> {
    #[cfg(feature = "otel")]
    return crate::otel::Otel::make(settings, version, broker);
    #[cfg(not(feature = "otel"))]
    Ok(None)
}

/// The logs of sagas beside the one in memory.
#[cfg(feature = "saga")]
pub(crate) const SAGA_LOGS: &[crate::saga::SagaLogKind] = &[
    #[cfg(feature = "sql")]
    crate::sql::SAGA_LOG,
];

/// What reads keys for tokens from a URL.
#[cfg(feature = "jwt")]
pub(crate) const FETCH: Option<crate::auth::Fetch> = {
    #[cfg(feature = "http")]
    {
        Some(crate::http::fetch)
    }
    #[cfg(not(feature = "http"))]
    {
        None
    }
};
