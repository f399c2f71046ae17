use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use super::Protocol;

/// The ports that a program's gateways have opened, for whoever tells others of them. One of the program's extensions.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds opens any"))]
pub(crate) struct Ports(Arc<Mutex<Opened>>);

#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "consul"), allow(dead_code, reason = "only what a feature adds looks at it"))]
struct Opened {
    ports: Vec<Port>,
    operations: Option<SocketAddr>,
}

/// A port that calls are taken at.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "consul"), allow(dead_code, reason = "only what a feature adds looks at it"))]
pub(crate) struct Port {
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    pub(crate) tls: bool,
}

#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds opens any"))]
impl Ports {
    /// A port takes calls now.
    pub(crate) fn opened(&self, protocol: Protocol, address: SocketAddr, tls: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ports.push(Port { protocol, address, tls });
    }

    /// The operations endpoints are there.
    pub(crate) fn operations(&self, address: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).operations = Some(address);
    }
}

#[cfg(feature = "consul")]
impl Ports {
    pub(super) fn all(&self) -> Vec<Port> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ports.clone()
    }

    pub(super) fn operations_address(&self) -> Option<SocketAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).operations
    }
}
