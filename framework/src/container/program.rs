use std::sync::Arc;

use super::{container::Container, readiness::Readiness};
use crate::{
    client::{RpcClient, ServiceProxy},
    dependency::ProcessScope,
    event::{EventDispatcher, Publisher},
    service::ServiceDescriptor,
    transport::Transport,
};

/// The services of a program as they run, for whoever looks at them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Program {
    pub(super) containers: Vec<Arc<Container>>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) rpc: Arc<RpcClient>,
    pub(super) process: Arc<ProcessScope>,
    /// The program's own version, if it says one.
    #[cfg(feature = "http")]
    pub(crate) version: Option<String>,
}

impl Program {
    /// Its services.
    pub(crate) fn descriptors(&self) -> Vec<&'static ServiceDescriptor> {
        self.containers.iter().map(|container| container.descriptor()).collect()
    }

    /// What it was started with.
    #[cfg(feature = "http")]
    pub(crate) fn settings(&self) -> &crate::Settings {
        &self.process.settings
    }

    /// Whether they take requests.
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness::of(&self.containers, &*self.transport)
    }

    /// A client that calls any service by name.
    pub(crate) fn proxy(&self) -> ServiceProxy {
        ServiceProxy::new(self.rpc.clone(), None)
    }

    /// What sends events in the name of the program.
    pub(crate) fn events(&self) -> EventDispatcher {
        EventDispatcher::new(self.process.sender.clone())
    }

    /// What publishes to exchanges and queues in the name of the program.
    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(self.process.sender.clone())
    }

    /// Whether its broker is in this process.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.transport.address().starts_with("memory://")
    }
}
