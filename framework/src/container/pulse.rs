//! How a program is doing, for those who look at it from outside, from the first moment of its start to the last of its stop.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use super::{container::Container, readiness::Readiness};
#[cfg(feature = "http")]
use crate::service::ServiceDescriptor;
use crate::transport::{ConnectionState, ConsumerStatus, Transport};

/// How far a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Starting = 0,
    Running = 1,
    Stopping = 2,
}

/// What the program's readiness is made of.
pub(crate) struct Pulse {
    transport: Arc<dyn Transport>,
    containers: Mutex<Vec<Arc<Container>>>,
    phase: AtomicU8,
}

/// One service, as it is at the moment.
#[derive(Debug)]
pub(crate) struct ServicePulse {
    pub(crate) name: &'static str,
    pub(crate) running_workers: usize,
    pub(crate) consumers: Vec<ConsumerStatus>,
}

impl Pulse {
    pub(super) fn new(transport: Arc<dyn Transport>) -> Arc<Self> {
        Arc::new(Self { transport, containers: Mutex::default(), phase: AtomicU8::new(Phase::Starting as u8) })
    }

    fn containers(&self) -> MutexGuard<'_, Vec<Arc<Container>>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, container: &Arc<Container>) {
        self.containers().push(container.clone());
    }

    pub(super) fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Running,
            _ => Phase::Stopping,
        }
    }

    /// Without its password.
    pub(crate) fn broker(&self) -> String {
        self.transport.address().to_string()
    }

    pub(crate) fn broker_state(&self) -> ConnectionState {
        self.transport.state().borrow().clone()
    }

    pub(crate) fn services(&self) -> Vec<ServicePulse> {
        let containers = self.containers();
        let pulses = containers.iter().map(|container| ServicePulse {
            name: container.name(),
            running_workers: container.running(),
            consumers: container.consumer_statuses(),
        });
        pulses.collect()
    }

    #[cfg(feature = "http")]
    pub(crate) fn descriptors(&self) -> Vec<&'static ServiceDescriptor> {
        self.containers().iter().map(|container| container.descriptor()).collect()
    }

    /// Whether it takes requests, and why not.
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness::of(self)
    }
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulse").field("phase", &self.phase()).finish_non_exhaustive()
    }
}
