//! What can be told of a program that does not run: its services, its version.

use super::{App, selection::select};
use crate::{Result, service::ServiceDescriptor};

impl App {
    /// What `--version` and documents say: `env!("CARGO_PKG_VERSION")`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The settings that the program was given in its code.
    #[cfg(feature = "schema")]
    pub(crate) fn own_settings(&self) -> Option<&crate::Settings> {
        self.settings.as_ref()
    }

    pub(crate) fn program_version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// All its services.
    #[cfg(feature = "cli")]
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &'static ServiceDescriptor> {
        self.services.iter().map(|service| service.descriptor)
    }

    /// Those of its services that have these names; where there are none, those that it runs.
    pub(crate) fn named(&self, names: &[String]) -> Result<Vec<&'static ServiceDescriptor>> {
        let only = if names.is_empty() { self.only.as_deref() } else { Some(names) };
        Ok(select(&self.services, only, self.linked)?.into_iter().map(|service| service.descriptor).collect())
    }
}
