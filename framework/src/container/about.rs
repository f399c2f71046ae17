//! What can be told of a program that does not run: its services, its version.

use std::path::Path;

use super::App;
#[cfg(any(feature = "cli", feature = "schema"))]
use super::selection::select;
#[cfg(any(feature = "cli", feature = "schema"))]
use crate::{Result, service::ServiceDescriptor};

/// What people call this program: its file, without where it is.
pub(crate) fn program_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path).file_stem().map_or_else(|| "program".to_owned(), |name| name.to_string_lossy().into_owned())
}

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

    #[cfg(any(feature = "cli", feature = "schema"))]
    pub(crate) fn program_version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// All its services.
    #[cfg(feature = "cli")]
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &'static ServiceDescriptor> {
        self.services.iter().map(|service| service.descriptor)
    }

    /// Those of its services that have these names; where there are none, those that it runs.
    #[cfg(any(feature = "cli", feature = "schema"))]
    pub(crate) fn named(&self, names: &[String]) -> Result<Vec<&'static ServiceDescriptor>> {
        let only = if names.is_empty() { self.only.as_deref() } else { Some(names) };
        Ok(select(&self.services, only, self.linked)?.into_iter().map(|service| service.descriptor).collect())
    }
}
