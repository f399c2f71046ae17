//! One running service.

use std::{sync::Arc, time::Duration};

use super::{
    Registration,
    gateway::{Gateway, ServiceParts},
};
use crate::{
    Result,
    codec::Codecs,
    dependency::{ContainerScope, SetupContext},
    entrypoint::{Clock, Entrypoint, MessageEntrypoint, MessageSettings, RpcEntrypoint, RpcSettings, TimerEntrypoint},
    service::ServiceDescriptor,
    task::Tasks,
    transport::{ConsumerStatus, Transport},
    worker::Limits,
};

/// One running service: its dependencies, its entrypoints, its workers.
pub(super) struct Container {
    descriptor: &'static ServiceDescriptor,
    scope: Arc<ContainerScope>,
    rpc: Arc<RpcEntrypoint>,
    /// What fires its methods, `rpc` among them.
    entrypoints: Vec<Arc<dyn Entrypoint>>,
    limits: Arc<Limits>,
    tasks: Tasks,
    max_workers: usize,
}

/// What a container takes from the program's settings.
#[derive(Debug, Clone)]
pub(super) struct ContainerSettings {
    pub(super) max_workers: usize,
    /// Whether what comes too late for its caller's deadline is not begun.
    pub(super) shed_late: bool,
    pub(super) rpc: RpcSettings,
    pub(super) messages: MessageSettings,
}

impl Container {
    /// Builds the service's dependencies and the service; nothing runs yet. Who made the scope stops what is in it.
    pub(super) async fn set_up(
        registration: &Registration,
        scope: Arc<ContainerScope>,
        codecs: Arc<Codecs>,
        settings: &ContainerSettings,
        gateways: &[Arc<dyn Gateway>],
    ) -> Result<Self> {
        let descriptor = registration.descriptor;
        let service = (registration.setup)(SetupContext::new(scope.clone())).await?;
        #[cfg(feature = "testing")]
        let service = match &scope.process.rig {
            Some(rig) => rig.around(service)?,
            None => service,
        };
        #[cfg(feature = "jwt")]
        crate::auth::tell_closed(descriptor);
        let max_workers = descriptor.max_workers.unwrap_or(settings.max_workers);
        let limits = Arc::new(Limits::new(max_workers, settings.shed_late, scope.process.observer.clone()));
        let tasks = Tasks::new();
        #[cfg(feature = "testing")]
        let clock = scope.process.rig.as_ref().map_or(Clock::System, |rig| rig.clock);
        #[cfg(not(feature = "testing"))]
        let clock = Clock::System;
        let further: Vec<_> = gateways
            .iter()
            .filter_map(|gateway| {
                let (service, limits, tasks, scope) = (service.clone(), limits.clone(), tasks.clone(), scope.clone());
                let parts = ServiceParts { service, limits, tasks, scope };
                gateway.entrypoint(parts)
            })
            .collect();
        let timers = Arc::new(TimerEntrypoint::new(&service, &limits, tasks.clone(), clock)?);
        let messages = Arc::new(MessageEntrypoint::new(
            service.clone(),
            codecs.clone(),
            limits.clone(),
            tasks.clone(),
            &settings.messages,
        ));
        let rpc = Arc::new(RpcEntrypoint::new(service, codecs, limits.clone(), tasks.clone(), settings.rpc.clone()));
        let mut entrypoints: Vec<Arc<dyn Entrypoint>> = vec![rpc.clone(), messages, timers];
        entrypoints.extend(further);
        Ok(Self { descriptor, scope, rpc, entrypoints, limits, tasks, max_workers })
    }

    pub(super) fn name(&self) -> &'static str {
        self.descriptor.name
    }

    pub(super) fn descriptor(&self) -> &'static ServiceDescriptor {
        self.descriptor
    }

    /// What fires its methods, for people.
    pub(super) fn entrypoints(&self) -> String {
        self.descriptor.entrypoints().map(|(_, name)| name).collect::<Vec<_>>().join(", ")
    }

    /// Starts the dependencies.
    pub(super) async fn start_dependencies(&self) -> Result<()> {
        self.scope.registry.start(0).await.map(drop)
    }

    /// Starts to take requests. Waits for the broker.
    pub(super) async fn start_taking(&self, transport: &Arc<dyn Transport>) -> Result<()> {
        let max_workers = u16::try_from(self.max_workers).unwrap_or(u16::MAX);
        for entrypoint in &self.entrypoints {
            entrypoint.start(transport, max_workers).await?;
        }
        Ok(())
    }

    /// All services of the program take requests: what fires by itself begins.
    pub(super) fn begin(&self) {
        for entrypoint in &self.entrypoints {
            entrypoint.begin();
        }
    }

    /// Where a request goes that comes by no broker.
    #[cfg(feature = "testing")]
    pub(super) fn direct(&self) -> Option<Arc<dyn crate::transport::DeliverySink>> {
        self.rpc.direct()
    }

    /// How its consumers are doing.
    pub(super) fn consumer_statuses(&self) -> Vec<ConsumerStatus> {
        self.entrypoints.iter().flat_map(|entrypoint| entrypoint.consumer_statuses()).collect()
    }

    /// Why some of its dependencies take no requests.
    pub(super) fn unready(&self) -> Vec<String> {
        self.scope.registry.unready()
    }

    /// How many workers run.
    pub(super) fn running(&self) -> usize {
        self.entrypoints.iter().map(|entrypoint| entrypoint.running()).sum()
    }

    /// How many of its workers run and wait for nobody, of how many that may.
    pub(super) fn busy(&self) -> (usize, usize) {
        self.limits.busy()
    }

    /// Takes nothing more, hands back what has not started, and waits for what runs, up to `grace`.
    /// Returns how many workers had to be dropped.
    pub(super) async fn drain(&self, grace: Duration) -> usize {
        // In this order: what is handed back while the consumers still run would come straight back.
        for entrypoint in &self.entrypoints {
            entrypoint.stop_taking().await;
        }
        let leaving = self.rpc.leave().await;
        self.limits.stop();
        let late = self.finish_workers(grace).await;
        if let Some(leaving) = leaving {
            leaving.finish().await;
        }
        late
    }

    /// Waits for what runs, up to `grace`. Returns how many workers had to be dropped.
    async fn finish_workers(&self, grace: Duration) -> usize {
        if tokio::time::timeout(grace, self.tasks.join()).await.is_ok() {
            return 0;
        }
        let late = self.running();
        tracing::error!(service = self.name(), workers = late, "the grace period is over: dropping what still runs");
        self.cancel_workers();
        // A method that never awaits cannot be dropped; it must not hold the stop up.
        if tokio::time::timeout(DROP_LIMIT, self.tasks.join()).await.is_err() {
            tracing::error!(service = self.name(), "workers are left that never reach an await");
        }
        late
    }

    /// Ends without order: starts nothing more and drops what runs.
    pub(super) fn abandon(&self) {
        self.limits.stop();
        self.cancel_workers();
    }

    fn cancel_workers(&self) {
        for entrypoint in &self.entrypoints {
            entrypoint.cancel_workers();
        }
    }
}

/// How long dropped workers may take for their hooks.
const DROP_LIMIT: Duration = Duration::from_secs(2);
