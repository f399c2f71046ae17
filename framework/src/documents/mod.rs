//! The documents of a program: OpenAPI of its routes, AsyncAPI of its RPC, events, queues and timers.
//!
//! Made from the descriptors of the services alone: nothing has to run. Serving them is `http`'s.

mod app;
mod asyncapi;
mod entrypoints;
#[cfg(feature = "http")]
mod openapi;
mod schemas;
#[cfg(all(test, feature = "http"))]
mod tests;
mod text;

use serde_json::json;

#[cfg(feature = "http")]
pub(crate) use self::openapi::openapi;
pub(crate) use self::{asyncapi::asyncapi, entrypoints::add_schemas};
use crate::{
    Result,
    config::Settings,
    protocol::{Value, names},
    service::ServiceDescriptor,
};

/// What documents say of the program as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Info {
    title: String,
    version: String,
    rpc_exchange: String,
}

impl Info {
    /// A program of these services. It is called as its only service is; of several, as its file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for settings of the wrong type.
    pub(crate) fn new(
        services: &[&'static ServiceDescriptor],
        version: Option<&str>,
        settings: &Settings,
    ) -> Result<Self> {
        let title = match services {
            [only] => only.name.to_owned(),
            _ => program_name().unwrap_or_else(|| "services".to_owned()),
        };
        Ok(Self {
            title,
            version: version.unwrap_or("unversioned").to_owned(),
            rpc_exchange: settings.get("rpc_exchange")?.unwrap_or_else(|| names::RPC_EXCHANGE.to_string()),
        })
    }

    #[cfg(feature = "http")]
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    #[cfg(feature = "http")]
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn to_json(&self) -> Value {
        json!({ "title": self.title, "version": self.version })
    }
}

fn program_name() -> Option<String> {
    let file = std::env::current_exe().ok()?;
    Some(file.file_stem()?.to_string_lossy().into_owned())
}
