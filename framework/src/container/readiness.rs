use std::{fmt, sync::Arc};

use super::container::Container;
use crate::{
    dependency::ProcessScope,
    transport::{ConnectionState, Transport},
};

/// Whether a program takes requests at the moment, and why not.
///
/// About the broker and what else the program needs, not about the process: an outage makes a program unready, and is no reason to restart
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    reasons: Vec<String>,
    interruptions: u64,
}

impl Readiness {
    pub(super) fn of(containers: &[Arc<Container>], transport: &dyn Transport, process: &ProcessScope) -> Self {
        let mut reasons = Vec::new();
        reasons.extend(broker_reason(&transport.address(), &transport.state().borrow()));
        reasons.extend(process.registry.unready());
        let mut interruptions = 0;
        for container in containers {
            let service = container.name();
            reasons.extend(container.unready().iter().map(|reason| format!("service `{service}`: {reason}")));
            for consumer in container.consumer_statuses() {
                interruptions += consumer.interruptions;
                if !consumer.running {
                    let queue = &consumer.queue;
                    reasons.push(format!("service `{service}` does not consume `{queue}`: {}", consumer.reason));
                }
            }
        }
        Self { reasons, interruptions }
    }

    /// Whether the connection stands, takes publishes, every service's queues are consumed, and no dependency says that it is
    /// [`unready`](crate::Dependency::unready).
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Why it is not ready, for people; empty when it is.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }

    /// How often the broker has stopped delivering from one of the queues since the start: a gap that is over shows here.
    pub fn interruptions(&self) -> u64 {
        self.interruptions
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_ready() { f.write_str("ready") } else { write!(f, "not ready: {}", self.reasons.join("; ")) }
    }
}

/// Why a broker at this address takes no requests; `None`: it does.
pub(crate) fn broker_reason(address: &str, state: &ConnectionState) -> Option<String> {
    match state {
        ConnectionState::Connected => None,
        ConnectionState::Connecting(reason) => Some(format!("no connection to {address}: {reason}")),
        ConnectionState::Blocked(reason) => Some(format!("{address} takes no messages: {reason}")),
        ConnectionState::Refused(reason) => Some(reason.clone()),
        ConnectionState::Closed => Some(format!("the connection to {address} is closed")),
    }
}
