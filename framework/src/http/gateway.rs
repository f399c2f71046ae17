//! HTTP as a program has it: the routes of all its services behind one listener.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use axum::Router;

use super::{
    docs,
    ops::{Mode, Token},
    entrypoint::{HttpEntrypoint, RouteDefaults},
    router::router,
};
use crate::{
    Result, Settings,
    container::{Extensions, Gateway, Program, ServiceParts},
    entrypoint::Entrypoint,
};

/// The HTTP side of a program.
pub(crate) struct HttpGateway {
    defaults: RouteDefaults,
    mode: Mode,
    token: Token,
    services: Mutex<Vec<Arc<HttpEntrypoint>>>,
    router: OnceLock<Router>,
}

impl HttpGateway {
    pub(crate) fn make(settings: &Settings, _: &mut Extensions) -> Result<Arc<dyn Gateway>> {
        let defaults = RouteDefaults::read(settings)?;
        let mode = Mode::read(settings, "memory://")?;
        let token = Token::read(settings, mode)?;
        Ok(Arc::new(Self { defaults, mode, token, services: Mutex::default(), router: OnceLock::new() }))
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
        let entrypoint = Arc::new(HttpEntrypoint::new(service, self.defaults));
        self.services.lock().unwrap_or_else(PoisonError::into_inner).push(entrypoint.clone());
        entrypoint
    }

    async fn open(&self, program: Program) -> Result<()> {
        let mut routes: Vec<_> = {
            let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.iter().flat_map(|service| service.routes()).collect()
        };
        if !routes.is_empty() {
            routes.extend(docs::of(&program, self.mode, &self.token)?);
        }
        let router = router(routes)?;
        // It opens once.
        let _ = self.router.set(router);
        Ok(())
    }

    async fn stop_taking(&self) {}

    async fn close(&self) {}
}
