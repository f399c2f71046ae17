//! Setting dependencies up: once per container or process, those that others require first, circles refused.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};

use super::{Dependency, Scope};
use crate::{
    Error, ErrorKind, Result,
    client::{RpcClient, ServiceClient, ServiceProxy},
    config::Settings,
    event::Sender,
    observe::Observer,
    protocol::Fault,
    resilience::Policies,
};

/// What a dependency can ask for while it is set up.
///
/// Handed to [`Dependency::setup`]; cheap to clone.
#[derive(Clone)]
pub struct SetupContext {
    container: Arc<ContainerScope>,
    /// The types that are being set up, outermost first.
    chain: Vec<(TypeId, &'static str)>,
}

/// A field that waits to be set up. For the derive.
pub struct Field<T: Dependency> {
    name: &'static str,
    /// `None` where the container has the options: the first field of its type.
    own_options: Option<T::Options>,
}

impl SetupContext {
    pub(crate) fn new(container: Arc<ContainerScope>) -> Self {
        Self { container, chain: Vec::new() }
    }

    /// The service that is being set up.
    pub fn service(&self) -> &'static str {
        self.container.service
    }

    /// The program's settings.
    pub fn settings(&self) -> &Settings {
        &self.container.process.settings
    }

    /// A client that calls any service by name.
    pub fn proxy(&self) -> ServiceProxy {
        ServiceProxy::new(self.container.process.rpc.clone(), None)
    }

    /// The client of one service, as generated clients are made of.
    pub fn service_client(&self, service: &'static str, timeout: Option<Duration>) -> ServiceClient {
        ServiceClient::remote(self.container.process.rpc.clone(), service.into(), timeout)
    }

    /// The sending side that the program's services share.
    pub(crate) fn sender(&self) -> &Arc<Sender> {
        &self.container.process.sender
    }

    /// What counts.
    #[cfg_attr(
        not(any(feature = "metrics", feature = "saga")),
        allow(dead_code, reason = "only what a feature adds asks")
    )]
    pub(crate) fn observer(&self) -> &Arc<Observer> {
        &self.container.process.observer
    }

    /// The program's policies.
    pub(crate) fn policies(&self) -> &Arc<Policies> {
        &self.container.process.policies
    }

    pub(crate) fn rpc(&self) -> &Arc<RpcClient> {
        &self.container.process.rpc
    }

    /// The instance of another dependency: the service's field of that type where it has one, else one with default options,
    /// set up now if nobody did before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setup`] where dependencies require each other in a circle; whatever its `setup` fails with.
    pub fn require<T: Dependency>(&self) -> BoxFuture<'_, Result<T>> {
        // Boxed and named: providers that require each other would otherwise have types that contain each other, and the
        // compiler would refuse the circle in words of its own.
        Box::pin(async move {
            if let Some(replacement) = self.replacement() {
                return Ok(replacement);
            }
            let id = TypeId::of::<T>();
            if let Some(start) = self.chain.iter().position(|(link, _)| *link == id) {
                let mut circle: Vec<_> = self.chain[start..].iter().map(|(_, name)| *name).collect();
                circle.push(type_name::<T>());
                return Err(Error::new(
                    ErrorKind::Setup,
                    format!("dependencies require each other in a circle: {}", circle.join(" → ")),
                ));
            }
            let registry = match T::SCOPE {
                Scope::Container => &self.container.registry,
                Scope::Process => &self.container.process.registry,
            };
            if let Some(ready) = registry.ready::<T>() {
                return Ok(ready);
            }
            let options = self.container.registry.take_options::<T>().unwrap_or_default();
            let instance = self.set_up::<T>(options).await?;
            registry.keep(instance.clone());
            Ok(instance)
        })
    }

    /// The database that a test gives the program in the place of the one that its code names.
    #[cfg(feature = "sql")]
    #[cfg_attr(not(feature = "testing"), allow(clippy::unused_async, reason = "only a test makes one"))]
    pub(crate) async fn database_of_test(&self, default: &str) -> Result<Option<String>> {
        #[cfg(feature = "testing")]
        if let Some(rig) = &self.container.process.rig {
            return rig.databases.instead_of(default).await.map(Some);
        }
        let _ = default;
        Ok(None)
    }

    /// What a test puts in the place of a `T`. Its life is the test's: it is neither set up nor started nor stopped here.
    fn replacement<T: Dependency>(&self) -> Option<T> {
        #[cfg(feature = "testing")]
        return self.container.process.rig.as_ref()?.replacement::<T>(self.service());
        #[cfg(not(feature = "testing"))]
        None
    }

    async fn set_up<T: Dependency>(&self, options: T::Options) -> Result<T> {
        let mut inner = self.clone();
        inner.chain.push((TypeId::of::<T>(), type_name::<T>()));
        T::setup(&inner, options).await
    }

    /// Leaves a field's options where [`require`](Self::require) finds them. For the derive: all fields are offered before one is taken.
    pub fn offer<T: Dependency>(&self, name: &'static str, options: T::Options) -> Field<T> {
        let own_options = self.container.registry.offer_options::<T>(options);
        Field { name, own_options }
    }

    /// Sets a field up. For the derive.
    ///
    /// # Errors
    ///
    /// What its `setup` fails with, naming the field.
    pub async fn take<T: Dependency>(&self, field: Field<T>) -> Result<T> {
        let name = field.name;
        let instance = match field.own_options {
            None => self.require::<T>().await,
            Some(options) => {
                if let Some(replacement) = self.replacement() {
                    return Ok(replacement);
                }
                // A second field of the type: its own instance, with its own options.
                let instance = self.set_up::<T>(options).await;
                instance.inspect(|instance| self.container.registry.keep_lifecycle(instance.clone()))
            }
        };
        instance.map_err(|error| {
            let kind = match error.kind() {
                ErrorKind::Internal => ErrorKind::Setup,
                kind => kind,
            };
            let text = format!("setting up `{name}` of service `{}`: {}", self.service(), error.chain());
            Error::new(kind, text)
        })
    }
}

impl fmt::Debug for SetupContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetupContext").field("service", &self.service()).finish_non_exhaustive()
    }
}

impl<T: Dependency> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How long one dependency may take to stop: the others, and the exit of the program, wait for it.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What the services of one program share.
pub(crate) struct ProcessScope {
    pub(crate) settings: Arc<Settings>,
    pub(crate) rpc: Arc<RpcClient>,
    pub(crate) sender: Arc<Sender>,
    pub(crate) observer: Arc<Observer>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) registry: Registry,
    #[cfg(feature = "testing")]
    pub(crate) rig: Option<Arc<crate::testing::Rig>>,
}

/// What one service's dependencies share.
pub(crate) struct ContainerScope {
    pub(crate) service: &'static str,
    pub(crate) process: Arc<ProcessScope>,
    pub(crate) registry: Registry,
}

/// The dependencies of one scope, in the order they were set up.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    options: HashMap<TypeId, Box<dyn Any + Send>>,
    offered: HashMap<TypeId, ()>,
    ready: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    lifecycle: Vec<Arc<dyn Lifecycle>>,
}

#[async_trait]
trait Lifecycle: Send + Sync {
    async fn start(&self) -> Result<()>;
    async fn stop(&self) -> Result<()>;
    fn unready(&self) -> Option<String>;
    fn name(&self) -> &'static str;
}

#[async_trait]
impl<T: Dependency> Lifecycle for T {
    async fn start(&self) -> Result<()> {
        Dependency::start(self).await
    }
    async fn stop(&self) -> Result<()> {
        Dependency::stop(self).await
    }
    fn unready(&self) -> Option<String> {
        Dependency::unready(self)
    }
    fn name(&self) -> &'static str {
        type_name::<T>()
    }
}

impl Registry {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the options of the first field of a type, and gives those of a later one back.
    fn offer_options<T: Dependency>(&self, options: T::Options) -> Option<T::Options> {
        let mut entries = self.entries();
        if entries.offered.insert(TypeId::of::<T>(), ()).is_some() {
            return Some(options);
        }
        entries.options.insert(TypeId::of::<T>(), Box::new(options));
        None
    }

    fn take_options<T: Dependency>(&self) -> Option<T::Options> {
        let options = self.entries().options.remove(&TypeId::of::<T>())?;
        options.downcast().ok().map(|options| *options)
    }

    pub(crate) fn ready<T: Dependency>(&self) -> Option<T> {
        self.entries().ready.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }

    fn keep<T: Dependency>(&self, instance: T) {
        let mut entries = self.entries();
        entries.ready.insert(TypeId::of::<T>(), Box::new(instance.clone()));
        entries.lifecycle.push(Arc::new(instance));
    }

    fn keep_lifecycle<T: Dependency>(&self, instance: T) {
        self.entries().lifecycle.push(Arc::new(instance));
    }

    /// Starts every dependency from the one at `from` on, in the order they were set up. Returns how many have been started.
    pub(crate) async fn start(&self, from: usize) -> Result<usize> {
        let lifecycle: Vec<_> = self.entries().lifecycle.iter().skip(from).cloned().collect();
        for dependency in &lifecycle {
            dependency.start().await.map_err(|error| {
                Error::new(ErrorKind::Setup, format!("starting `{}`: {}", dependency.name(), error.chain()))
            })?;
        }
        Ok(from + lifecycle.len())
    }

    /// Why some dependencies take no requests at the moment.
    pub(crate) fn unready(&self) -> Vec<String> {
        // Outside of the lock: it is the user's code.
        let lifecycle = self.entries().lifecycle.clone();
        lifecycle.iter().filter_map(|dependency| dependency.unready()).collect()
    }

    /// Stops every dependency, the last one first. One that fails does not keep the others.
    pub(crate) async fn stop(&self) {
        let lifecycle = std::mem::take(&mut self.entries().lifecycle);
        for dependency in lifecycle.iter().rev() {
            let stopping = AssertUnwindSafe(dependency.stop()).catch_unwind();
            let trouble = match tokio::time::timeout(STOP_LIMIT, stopping).await {
                Ok(Ok(Ok(()))) => continue,
                Ok(Ok(Err(error))) => error.chain(),
                Ok(Err(panic)) => Fault::panic(&*panic).to_string(),
                Err(_) => format!("it takes longer than {STOP_LIMIT:?}"),
            };
            tracing::error!(dependency = dependency.name(), trouble, "a dependency failed to stop");
        }
    }
}
