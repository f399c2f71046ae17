//! The policies of one program, for whoever looks at them or changes them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Policy, PolicySettings, overrides::Overrides};
use crate::{Result, config::Settings};

/// The policies of one program, each by the service that has it and by its own name.
pub(crate) struct Policies {
    known: Mutex<BTreeMap<(&'static str, String), Policy>>,
    settings: Arc<Settings>,
}

impl Policies {
    pub(crate) fn new(settings: &Arc<Settings>) -> Arc<Self> {
        Arc::new(Self { known: Mutex::default(), settings: settings.clone() })
    }

    /// The policy of a service by this name, made of what its code says and of what the settings say in its place.
    ///
    /// # Errors
    ///
    /// For settings that make no sense.
    pub(crate) fn get(&self, service: &'static str, name: &str, written: PolicySettings) -> Result<Policy> {
        let mut known = self.known();
        if let Some(policy) = known.get(&(service, name.to_owned())) {
            return Ok(policy.clone());
        }
        let settings = Overrides::read(&self.settings, name)?.over(written);
        let policy = Policy::builder(name.to_owned()).settings(settings).build()?;
        known.insert((service, name.to_owned()), policy.clone());
        Ok(policy)
    }

    /// All of them, with the service of each.
    pub(crate) fn all(&self) -> Vec<(&'static str, Policy)> {
        self.known().iter().map(|((service, _), policy)| (*service, policy.clone())).collect()
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
