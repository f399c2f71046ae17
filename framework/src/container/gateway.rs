//! Further ways into a program, which come from above this tier: HTTP to its services, discovery to what it is.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use super::Program;
use crate::{
    Result, Settings, dependency::ContainerScope, entrypoint::Entrypoint, service::DynService, task::Tasks,
    worker::Limits,
};

/// One way in, for a whole program.
#[async_trait]
pub(crate) trait Gateway: Any + Send + Sync {
    /// What fires the methods of one service this way, if it leads to any.
    fn entrypoint(&self, service: ServiceParts) -> Option<Arc<dyn Entrypoint>>;

    /// Gets ready to open: all services are set up, and none has begun. The broker may be away for long yet.
    ///
    /// # Errors
    ///
    /// What would keep it shut.
    async fn prepare(&self, program: Program) -> Result<()>;

    /// Opens: all services take what comes by the broker.
    ///
    /// # Errors
    ///
    /// What keeps it shut, such as an address that is taken.
    async fn open(&self) -> Result<()>;

    /// Takes nothing new; what runs goes on.
    async fn stop_taking(&self);

    /// Waits for what runs of its own, beside workers, up to `grace`.
    async fn drain(&self, grace: Duration);

    /// Closes: nothing runs any more. Without it, dropping closes as well, with no order.
    async fn close(&self);
}

/// What an entrypoint needs of a service's container.
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks at it"))]
pub(crate) struct ServiceParts {
    pub(crate) service: Arc<dyn DynService>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) tasks: Tasks,
    /// Where its dependencies are.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks for its own"))]
    pub(crate) scope: Arc<ContainerScope>,
}

/// Makes a gateway from the program's settings, and from what the program said of it.
pub(crate) type MakeGateway = fn(&Settings, &mut Extensions) -> Result<Arc<dyn Gateway>>;

/// What a program says to the features that it uses, one value of each type.
#[derive(Default)]
pub(crate) struct Extensions(HashMap<TypeId, Box<dyn Any + Send>>);

impl Extensions {
    /// The value of a type; its default where nothing was said yet.
    pub(crate) fn get<T: Default + Send + 'static>(&mut self) -> &mut T {
        let value = self.0.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        value.downcast_mut().expect("it is kept under its type")
    }
}

/// How a program was launched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Launch {
    /// By `run`, and not by a test or another program.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks at it"))]
    pub(crate) is_run: bool,
    /// The program's own version, if it says.
    pub(crate) version: Option<String>,
}
