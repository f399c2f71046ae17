//! HTTP as a program has it: the routes of all its services behind one listener.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use axum::Router;

use super::{
    entrypoint::{HttpEntrypoint, RouteDefaults},
    router::router,
    websocket::SocketSettings,
};
use crate::{
    Result, Settings,
    container::{Extensions, Gateway, Program, ServiceParts},
    entrypoint::Entrypoint,
};

/// The HTTP side of a program.
pub(crate) struct HttpGateway {
    defaults: RouteDefaults,
    sockets: SocketSettings,
    services: Mutex<Vec<Arc<HttpEntrypoint>>>,
    router: OnceLock<Router>,
}

impl HttpGateway {
    pub(crate) fn make(settings: &Settings, _: &mut Extensions) -> Result<Arc<dyn Gateway>> {
        let defaults = RouteDefaults::read(settings)?;
        let sockets = SocketSettings::read(settings)?;
        Ok(Arc::new(Self { defaults, sockets, services: Mutex::default(), router: OnceLock::new() }))
    }

    /// What answers requests, once it is open.
    #[cfg(feature = "testing")]
    pub(crate) fn router(&self) -> Router {
        self.router.get().cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Gateway for HttpGateway {
    fn entrypoint(&self, service: ServiceParts) -> Arc<dyn Entrypoint> {
        let entrypoint = Arc::new(HttpEntrypoint::new(service, self.defaults, &self.sockets));
        self.services.lock().unwrap_or_else(PoisonError::into_inner).push(entrypoint.clone());
        entrypoint
    }

    async fn open(&self, _: Program) -> Result<()> {
        let routes = {
            let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.iter().flat_map(|service| service.routes()).collect()
        };
        let router = router(routes)?;
        // It opens once.
        let _ = self.router.set(router);
        Ok(())
    }

    async fn stop_taking(&self) {}

    async fn close(&self) {}
}
