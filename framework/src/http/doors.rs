//! The servers of a running program: where they come into its start, and into its stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;

use super::{
    Route, Site,
    ops::{self, OpsSettings},
    server::{Bound, ConnectionLimits, HttpSettings, Server, Tls},
};
use crate::{Result, config::Settings, container::Pulse};

/// What a program wants to serve, before it starts.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) http: HttpSettings,
    pub(crate) ops: OpsSettings,
    site: Site,
    /// Whether operations endpoints are wanted where no setting asks for them.
    ops_by_default: bool,
    /// The program's own version.
    version: Option<String>,
}

impl Plan {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for settings that make no sense.
    pub(crate) fn read(
        settings: &Settings,
        broker: &str,
        site: Site,
        ops_by_default: bool,
        version: Option<String>,
    ) -> Result<Self> {
        let (http, ops) = (HttpSettings::read(settings)?, OpsSettings::read(settings, broker)?);
        Ok(Self { http, ops, site, ops_by_default, version })
    }

    /// The whole router of the program; `None` where there is nothing to serve.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for routes that cannot stand beside each other.
    pub(crate) fn assemble(&mut self, routes: Vec<Route>) -> Result<Option<Router>> {
        if routes.is_empty() && self.site.is_empty() {
            return Ok(None);
        }
        let paths: Vec<String> = routes.iter().map(|route| route.path().to_owned()).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let services = super::router(routes)?;
        std::mem::take(&mut self.site).assemble(services, &paths, &self.http).map(Some)
    }
}

/// The servers of a program. Dropped, they and their connections end.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    prepared: Option<Prepared>,
    http: Option<Server>,
    ops: Option<Server>,
    is_tls: bool,
}

/// A server that has its address and all that it will serve, and does not listen yet.
#[derive(Debug)]
struct Prepared {
    bound: Bound,
    router: Router,
    limits: ConnectionLimits,
    tls: Option<Tls>,
}

impl Doors {
    /// Starts the operations endpoints, if they are wanted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an address that is taken.
    pub(crate) async fn open_ops(&mut self, plan: &Plan, pulse: Arc<Pulse>) -> Result<()> {
        if let Some(listener) = plan.ops.listen(plan.ops_by_default).await? {
            self.ops = Some(ops::start(listener, &plan.ops, pulse, plan.version.clone())?);
        }
        Ok(())
    }

    /// Takes the address and reads the certificate for this router, so that what is wrong with either ends the start before anything has
    /// run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for either.
    pub(crate) async fn prepare(&mut self, settings: &HttpSettings, router: Router) -> Result<()> {
        let tls = settings.tls.as_ref().map(Tls::load).transpose()?;
        let bound = settings.address.bind().await?;
        self.prepared = Some(Prepared { bound, router, limits: settings.limits, tls });
        Ok(())
    }

    /// Listens, now that whatever runs for a request is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an address that somebody else took meanwhile.
    pub(crate) fn open_http(&mut self) -> Result<()> {
        let Some(Prepared { bound, router, limits, tls }) = self.prepared.take() else { return Ok(()) };
        self.is_tls = tls.is_some();
        self.http = Some(Server::start(bound.listen()?, router, limits, tls)?);
        Ok(())
    }

    /// Says where they are, and how to change something.
    pub(crate) fn announce(&self, ops: &OpsSettings) {
        let url = |scheme: &str, server: &Server| format!("{scheme}://{}", server.address());
        let http = self.http.as_ref().map(|server| url(if self.is_tls { "https" } else { "http" }, server));
        let operations = self.ops.as_ref().map(|server| url("http", server));
        if http.is_some() || operations.is_some() {
            tracing::info!(http, operations, mode = ops.mode.name(), "listening");
        }
        if let (Some(_), Some(token)) = (operations, ops.token.to_print()) {
            tracing::info!("the token of this run, for what changes something: {token}");
        }
    }

    pub(crate) fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Server::address)
    }

    pub(crate) fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.as_ref().map(Server::address)
    }

    /// Takes no new connections, and tells those that are there to close when their requests are answered.
    pub(crate) fn drain(&self) {
        if let Some(http) = &self.http {
            http.drain();
        }
    }

    /// Waits for the requests that run, up to `grace`.
    pub(crate) async fn drained(&self, grace: Duration) {
        if let Some(http) = &self.http {
            http.drained(grace).await;
        }
    }

    /// Closes what is left of the HTTP server.
    pub(crate) async fn close_http(&self) {
        if let Some(http) = &self.http {
            http.close().await;
        }
    }

    /// Closes the operations endpoints: the last thing to go, since they tell how the stop is getting on.
    pub(crate) async fn close_ops(&self) {
        if let Some(ops) = &self.ops {
            ops.close().await;
        }
    }
}
