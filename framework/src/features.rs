//! What the features of this build add to every program: the one place where the container meets what stands above it.

use crate::container::MakeGateway;

/// The ways into services beside the broker.
pub(crate) const GATEWAYS: &[MakeGateway] = &[
    #[cfg(feature = "http")]
    crate::http::HttpGateway::make,
];

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
