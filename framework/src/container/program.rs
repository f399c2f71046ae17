use std::sync::Arc;

use super::{container::Container, readiness::Readiness};
use crate::{
    Settings,
    client::{RpcClient, ServiceProxy},
    dead_letter::DeadLetters,
    dependency::{Dependency, ProcessScope},
    event::{EventDispatcher, Publisher},
    observe::Observer,
    resilience::Policies,
    service::ServiceDescriptor,
    transport::{ConnectionState, ConsumerStatus, Transport},
};

/// The services of a program as they run, for whoever looks at them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Program {
    pub(super) containers: Vec<Arc<Container>>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) rpc: Arc<RpcClient>,
    pub(super) process: Arc<ProcessScope>,
}

impl Program {
    /// Its services.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks at it"))]
    pub(crate) fn descriptors(&self) -> Vec<&'static ServiceDescriptor> {
        self.containers.iter().map(|container| container.descriptor()).collect()
    }

    /// Whether they take requests.
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness::of(&self.containers, &*self.transport, &self.process)
    }

    /// What it has seen of itself.
    pub(crate) fn observer(&self) -> &Arc<Observer> {
        &self.process.observer
    }

    /// Its policies.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds asks"))]
    pub(crate) fn policies(&self) -> &Policies {
        &self.process.policies
    }

    /// How many of its calls wait for a reply.
    pub(crate) fn pending_calls(&self) -> usize {
        self.rpc.pending()
    }

    /// What it was told.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks at it"))]
    pub(crate) fn settings(&self) -> &Settings {
        &self.process.settings
    }

    /// Each service, as it is at the moment.
    pub(crate) fn services(&self) -> Vec<ServiceState> {
        let states = self.containers.iter().map(|container| ServiceState {
            descriptor: container.descriptor(),
            name: container.name(),
            running_workers: container.running(),
            busy: container.busy(),
            unready: container.unready(),
            consumers: container.consumer_statuses(),
        });
        states.collect()
    }

    /// What the dependencies lack that all services share.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks at it"))]
    pub(crate) fn unready(&self) -> Vec<String> {
        self.process.registry.unready()
    }

    /// A dependency that all services share, where one of them has set it up.
    #[cfg_attr(
        not(all(feature = "http", feature = "saga")),
        allow(dead_code, reason = "only what a feature adds asks")
    )]
    pub(crate) fn shared<T: Dependency>(&self) -> Option<T> {
        self.process.registry.ready()
    }

    /// Where the broker is, without its password, and how the connection to it does.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks at it"))]
    pub(crate) fn broker(&self) -> (String, ConnectionState) {
        (self.transport.address(), self.transport.state().borrow().clone())
    }

    /// Whether `kinoko::testing` runs it: then it opens no socket.
    pub(crate) fn is_test(&self) -> bool {
        #[cfg(feature = "testing")]
        return self.process.rig.is_some();
        #[cfg(not(feature = "testing"))]
        false
    }

    /// The dead letters of the broker, with the queues of its services.
    pub(crate) fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.transport.clone(), self.process.sender.clone(), self.descriptors())
    }

    /// What moves its messages.
    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Its calls.
    pub(crate) fn rpc(&self) -> &RpcClient {
        &self.rpc
    }

    /// A client that calls any service by name.
    pub(crate) fn proxy(&self) -> ServiceProxy {
        ServiceProxy::new(self.rpc.clone(), None)
    }

    /// What sends events in the name of the program.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds sends any"))]
    pub(crate) fn events(&self) -> EventDispatcher {
        EventDispatcher::new(self.process.sender.clone())
    }

    /// What publishes to exchanges and queues in the name of the program.
    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(self.process.sender.clone())
    }

    /// Whether its broker is in this process.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks at it"))]
    pub(crate) fn is_in_memory(&self) -> bool {
        self.transport.address().starts_with("memory://")
    }
}

/// One service, as it is at the moment.
#[derive(Debug)]
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "a feature looks at the rest"))]
pub(crate) struct ServiceState {
    pub(crate) descriptor: &'static ServiceDescriptor,
    pub(crate) name: &'static str,
    pub(crate) running_workers: usize,
    /// How many workers run and wait for nobody, of how many that may.
    pub(crate) busy: (usize, usize),
    /// What its dependencies lack.
    pub(crate) unready: Vec<String>,
    pub(crate) consumers: Vec<ConsumerStatus>,
}
