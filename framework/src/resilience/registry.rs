//! The policies of one program, for whoever looks at them or changes them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Policy, PolicySettings,
    overrides::{Overrides, section},
    process,
    sight::PolicySight,
};
use crate::{Error, Result, config::Settings};

/// The policies of one program, each by the service that has it and by its own name.
pub(crate) struct Policies {
    known: Mutex<BTreeMap<(&'static str, String), Policy>>,
    settings: Arc<Settings>,
}

impl Policies {
    /// A program starts. The policies of methods, which are the process's, follow its settings from now on.
    ///
    /// # Errors
    ///
    /// For settings of theirs that make no sense.
    pub(crate) fn begin(settings: &Arc<Settings>) -> Result<Arc<Self>> {
        process::follow(settings)?;
        Ok(Arc::new(Self { known: Mutex::default(), settings: settings.clone() }))
    }

    /// What the settings say of the policy of this name.
    ///
    /// # Errors
    ///
    /// For a key that no policy has, and for a value of another type.
    pub(crate) fn overrides(&self, name: &str) -> Result<Overrides> {
        Overrides::read(&self.settings, name)
    }

    /// The policy of a service by this name: the first one's, whoever asks for it again.
    ///
    /// # Errors
    ///
    /// For settings that make no sense.
    pub(crate) fn get(&self, service: &'static str, name: &str, settings: PolicySettings) -> Result<Policy> {
        let mut known = self.known();
        if let Some(policy) = known.get(&(service, name.to_owned())) {
            return Ok(policy.clone());
        }
        let policy = Policy::builder(name.to_owned()).settings(settings).build()?;
        known.insert((service, name.to_owned()), policy.clone());
        Ok(policy)
    }

    /// An error about a section of the settings.
    pub(crate) fn refuse(&self, name: &str, text: impl fmt::Display) -> Error {
        self.settings.refuse(&section(name), text)
    }

    /// What all of them are like at the moment: those of services, then those of methods, which have their module in its place.
    pub(crate) fn look(&self) -> Vec<PolicySight> {
        let known = self.known();
        let of_services = known.iter().map(|((service, _), policy)| PolicySight::of(service, policy));
        of_services.chain(process::policies().map(|(module, policy)| PolicySight::of(module, policy))).collect()
    }

    /// The policy of a service, or of a module, by this name, if it has one.
    pub(crate) fn find(&self, service: &str, name: &str) -> Option<Policy> {
        let known = self.known();
        let of_service = known.iter().find(|((own, own_name), _)| *own == service && own_name == name);
        let of_service = of_service.map(|(_, policy)| policy.clone());
        let mut of_methods = process::policies();
        of_service.or_else(|| {
            of_methods
                .find(|(module, policy)| *module == service && policy.name() == name)
                .map(|(_, policy)| policy.clone())
        })
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(&'static str, String), Policy>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("known", &self.known().len()).finish_non_exhaustive()
    }
}
