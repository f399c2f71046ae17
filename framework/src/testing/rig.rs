use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kinoko_text::nearest;

use super::{
    replaced::Replaced,
    watch::{Watch, Watched},
};
use crate::{
    Error, ErrorKind, Result,
    dependency::Dependency,
    entrypoint::Clock,
    service::{DynService, ServiceDescriptor},
};

/// What a test changes of a program. The program asks it where it sets services up, and nowhere on the path of a call.
#[derive(Default)]
pub(crate) struct Rig {
    pub(super) replaced: Replaced,
    /// A service, and the entrypoints that it keeps.
    pub(super) only: Vec<(String, Vec<String>)>,
    #[cfg(feature = "sql")]
    pub(crate) databases: super::database::Databases,
    pub(super) watch: Arc<Watch>,
    /// What timers go by.
    pub(crate) clock: Clock,
    /// The services as the test has them.
    services: Mutex<Vec<&'static ServiceDescriptor>>,
}

impl Rig {
    /// What stands in the place of a service's dependency.
    pub(crate) fn replacement<T: Dependency>(&self, service: &str) -> Option<T> {
        self.replaced.get(service)
    }

    /// The service with the entrypoints that the test left it, each worker watched.
    pub(crate) fn around(&self, service: Arc<dyn DynService>) -> Result<Arc<dyn DynService>> {
        let descriptor = self.restricted(service.descriptor())?;
        self.services().push(descriptor);
        Ok(Arc::new(Watched { service, descriptor, watch: self.watch.clone() }))
    }

    pub(super) fn services(&self) -> MutexGuard<'_, Vec<&'static ServiceDescriptor>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn restricted(&self, whole: &'static ServiceDescriptor) -> Result<&'static ServiceDescriptor> {
        let Some((_, only)) = self.only.iter().find(|(service, _)| service == whole.name) else { return Ok(whole) };
        if let Some(unknown) = only.iter().find(|name| !has_entrypoint(whole, name)) {
            return Err(no_entrypoint(whole, unknown));
        }
        let restricted = ServiceDescriptor {
            methods: kept(whole.methods, only, |method| method.name),
            events: kept(whole.events, only, |handler| handler.method),
            consumers: kept(whole.consumers, only, |consumer| consumer.method),
            timers: kept(whole.timers, only, |timer| timer.method),
            sockets: kept(whole.sockets, only, |method| method.name),
            routes: kept(whole.routes, only, |route| route.method),
            grpc: kept(whole.grpc, only, |method| method.method),
            ..*whole
        };
        Ok(Box::leak(Box::new(restricted)))
    }

    /// Refuses names of services that the test does not run.
    pub(super) fn check_names(&self, services: &[&str]) -> Result<()> {
        let named = self.only.iter().map(|(service, _)| service.as_str()).chain(self.replaced.services());
        for name in named {
            if !services.contains(&name) {
                return Err(no_service(name, services));
            }
        }
        Ok(())
    }

    /// Refuses the name of an entrypoint that no service of the test has.
    pub(super) fn check_entrypoint(&self, service: &str, entrypoint: &str) -> Result<()> {
        let services = self.services();
        let Some(descriptor) = services.iter().find(|descriptor| descriptor.name == service) else {
            let names: Vec<_> = services.iter().map(|descriptor| descriptor.name).collect();
            return Err(no_service(service, &names));
        };
        if has_entrypoint(descriptor, entrypoint) { Ok(()) } else { Err(no_entrypoint(descriptor, entrypoint)) }
    }
}

impl fmt::Debug for Rig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rig").field("only", &self.only).finish_non_exhaustive()
    }
}

fn has_entrypoint(service: &ServiceDescriptor, name: &str) -> bool {
    service.entrypoints().any(|(_, entrypoint)| entrypoint == name)
}

/// Descriptors live as long as the program. A test that restricts entrypoints leaves some hundred bytes behind.
fn kept<T: Copy>(all: &[T], only: &[String], name: fn(&T) -> &'static str) -> &'static [T] {
    Vec::leak(all.iter().filter(|entrypoint| only.iter().any(|kept| kept == name(entrypoint))).copied().collect())
}

fn no_service(name: &str, services: &[&str]) -> Error {
    missing(format!("this test runs no service `{name}`"), name, services)
}

fn no_entrypoint(service: &ServiceDescriptor, name: &str) -> Error {
    // A method with several attributes is one name.
    let mut seen = BTreeSet::new();
    let entrypoints: Vec<_> = service.entrypoints().map(|(_, name)| name).filter(|name| seen.insert(*name)).collect();
    missing(format!("service `{}` has no entrypoint `{name}`", service.name), name, &entrypoints)
}

fn missing(what: String, name: &str, have: &[&str]) -> Error {
    let hint = nearest(name, have.iter().copied()).map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
    let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
    Error::new(ErrorKind::Usage, format!("{what} (it has {have}){hint}"))
}
