use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    Result,
    config::SettingInfo,
    dependency::SetupContext,
    service::{DynService, Service, ServiceDescriptor},
};

/// How to build one service. `#[service]` submits one for [`run`](crate::run) to find.
#[derive(Clone, Copy)]
pub struct Registration {
    pub(crate) descriptor: &'static ServiceDescriptor,
    pub(crate) package: &'static str,
    pub(crate) module: &'static str,
    /// The service's type, for messages.
    pub(crate) type_name: fn() -> &'static str,
    /// The settings that its fields read.
    pub(crate) settings: fn() -> Result<Vec<SettingInfo>>,
    pub(crate) setup: SetUp,
}

type SetUp = fn(SetupContext) -> BoxFuture<'static, Result<Arc<dyn DynService>>>;

impl Registration {
    /// The registration of a service type.
    pub const fn of<S: Service>(package: &'static str, module: &'static str) -> Self {
        Self {
            descriptor: S::DESCRIPTOR,
            package,
            module,
            type_name: std::any::type_name::<S>,
            settings: S::PROVIDER.settings,
            setup: set_up::<S>,
        }
    }
}

fn set_up<S: Service>(cx: SetupContext) -> BoxFuture<'static, Result<Arc<dyn DynService>>> {
    Box::pin(async move { Ok(Arc::new(S::PROVIDER.provide(&cx).await?) as Arc<dyn DynService>) })
}

inventory::collect!(Registration);

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration")
            .field("service", &self.descriptor.name)
            .field("package", &self.package)
            .field("module", &self.module)
            .finish()
    }
}
