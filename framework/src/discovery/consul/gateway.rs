//! Consul as part of a program's life: it is told of the ports when they are open, and that they close before they do.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{
    Consul,
    entry::{Entry, Program as Told},
    registration::Registration,
    settings::RegisterSettings,
};
use crate::{
    Result, Settings,
    container::{Extensions, Gateway, Launch, Program, ServiceParts},
    discovery::{Protocol, ports::Ports},
    entrypoint::Entrypoint,
    task::Tasks,
};

/// The registrations of a program.
pub(crate) struct ConsulGateway {
    consul: Option<Arc<Consul>>,
    settings: RegisterSettings,
    ports: Ports,
    version: Option<String>,
    /// What is in the ids of this run.
    instance: String,
    /// Taken when it opens.
    program: Mutex<Option<Program>>,
    tasks: Tasks,
    stopping: CancellationToken,
    closing: CancellationToken,
}

impl ConsulGateway {
    pub(crate) fn make(settings: &Settings, extensions: &mut Extensions) -> Result<Arc<dyn Gateway>> {
        let instance = uuid::Uuid::new_v4().simple().to_string();
        Ok(Arc::new(Self {
            consul: Consul::from_settings(settings)?.map(Arc::new),
            settings: RegisterSettings::read(settings)?,
            ports: extensions.get::<Ports>().clone(),
            version: extensions.get::<Launch>().version.clone(),
            instance: instance[..12].to_owned(),
            program: Mutex::default(),
            tasks: Tasks::new(),
            stopping: CancellationToken::new(),
            closing: CancellationToken::new(),
        }))
    }

    /// What is to be registered: each service at each port where it answers.
    fn entries(&self, program: &Program) -> Vec<Entry> {
        let told = Told {
            settings: &self.settings,
            instance: &self.instance,
            version: self.version.as_deref(),
            operations: self.ports.operations_address(),
        };
        let descriptors = program.descriptors();
        let mut entries = Vec::new();
        for port in self.ports.all() {
            let answers = descriptors.iter().filter(|service| match port.protocol {
                Protocol::Http => !service.routes.is_empty() || !service.sockets.is_empty(),
                Protocol::Grpc => !service.grpc.is_empty(),
            });
            let mut names: Vec<_> = answers.map(|service| service.name).collect();
            if names.is_empty() {
                // What is mounted beside the services is the program's, which bears the first one's name.
                names.extend(descriptors.first().map(|service| service.name));
            }
            entries.extend(names.into_iter().map(|name| told.entry(name, port)));
        }
        entries
    }
}

#[async_trait]
impl Gateway for ConsulGateway {
    fn entrypoint(&self, _: ServiceParts) -> Option<Arc<dyn Entrypoint>> {
        None
    }

    async fn prepare(&self, program: Program) -> Result<()> {
        // Nobody is to find what a test runs.
        if self.settings.is_on && !program.is_test() {
            *self.program.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
        }
        Ok(())
    }

    async fn open(&self) -> Result<()> {
        let program = self.program.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(consul), Some(program)) = (&self.consul, program) else { return Ok(()) };
        for entry in self.entries(&program) {
            let registration = Registration {
                consul: consul.clone(),
                program: program.clone(),
                entry,
                renewal: self.settings.check_interval / 3,
                stopping: self.stopping.clone(),
                closing: self.closing.clone(),
            };
            self.tasks.spawn(registration.keep());
        }
        Ok(())
    }

    async fn stop_taking(&self) {
        self.stopping.cancel();
    }

    async fn drain(&self, _: Duration) {}

    async fn close(&self) {
        self.closing.cancel();
        self.tasks.join().await;
    }
}

impl Drop for ConsulGateway {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}
