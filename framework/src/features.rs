//! What the features of this build add to every program: the one place where the container meets what stands above it.

use crate::container::MakeGateway;

/// The ways into a program beside the queues of its services. Those behind others may look at what these left in the extensions.
pub(crate) const GATEWAYS: &[MakeGateway] = &[
    crate::discovery::BrokerDiscovery::make,
    #[cfg(feature = "http")]
    crate::http::HttpGateway::make,
];

/// The logs of sagas beside the one in memory.
#[cfg(feature = "saga")]
pub(crate) const SAGA_LOGS: &[crate::saga::SagaLogKind] = &[
    #[cfg(feature = "sql")]
    crate::sql::SAGA_LOG,
];
