//! HTTP as a program has it: the routes of all its services behind one listener, what is mounted beside them, and the operations
//! endpoints.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    docs,
    entrypoint::HttpEntrypoint,
    ops::{self, OpsSettings, Phase, Token, Watched},
    router::router,
    serving::{HttpSettings, Routers},
    site::Site,
    websocket::SocketSettings,
};
use crate::{
    Result, Settings,
    config::Mode,
    container::{Extensions, Gateway, Launch, Program, ServiceParts},
    discovery::{Neighbours, Ports, Protocol as Spoken},
    entrypoint::Entrypoint,
    server::{Bound, Protocol, Server, Tls},
};

/// How long the answers of workers that were dropped may take to leave.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// The HTTP side of a program.
pub(crate) struct HttpGateway {
    settings: HttpSettings,
    sockets: SocketSettings,
    ops_settings: OpsSettings,
    neighbours: Neighbours,
    ports: Ports,
    launch: Launch,
    services: Mutex<Vec<Arc<HttpEntrypoint>>>,
    routers: OnceLock<Routers>,
    access: OnceLock<Access>,
    doors: Mutex<Doors>,
}

/// What listens, or is about to. Dropped, it ends with its connections.
#[derive(Default)]
struct Doors {
    /// Taken when it opens.
    site: Site,
    bound: Option<(Bound, Option<Tls>)>,
    http: Option<Arc<Server>>,
    ops: Option<Arc<Server>>,
    watched: Option<Arc<Watched>>,
}

/// Who the program runs for, and who may change something.
struct Access {
    mode: Mode,
    token: Token,
}

impl HttpGateway {
    pub(crate) fn make(settings: &Settings, extensions: &mut Extensions) -> Result<Arc<dyn Gateway>> {
        let doors = Doors { site: std::mem::take(extensions.get::<Site>()), ..Doors::default() };
        Ok(Arc::new(Self {
            settings: HttpSettings::read(settings)?,
            sockets: SocketSettings::read(settings)?,
            ops_settings: OpsSettings::read(settings)?,
            neighbours: extensions.get::<Neighbours>().clone(),
            ports: extensions.get::<Ports>().clone(),
            launch: extensions.get::<Launch>().clone(),
            services: Mutex::default(),
            routers: OnceLock::new(),
            access: OnceLock::new(),
            doors: Mutex::new(doors),
        }))
    }

    /// What answers requests, once it is prepared: all of it, without a socket.
    #[cfg(feature = "testing")]
    pub(crate) fn routers(&self) -> Routers {
        self.routers.get().cloned().unwrap_or_default()
    }

    pub(super) fn http_address(&self) -> Option<SocketAddr> {
        self.doors().http.as_ref().map(|server| server.address())
    }

    pub(super) fn ops_address(&self) -> Option<SocketAddr> {
        self.doors().ops.as_ref().map(|server| server.address())
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole router; `None` where there is nothing to serve.
    fn assemble(&self, program: &Program, mode: Mode, token: &Token) -> Result<Option<Routers>> {
        let mut routes: Vec<_> = {
            let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.iter().flat_map(|service| service.routes()).collect()
        };
        let site = std::mem::take(&mut self.doors().site);
        if routes.is_empty() && site.is_empty() {
            return Ok(None);
        }
        if self.settings.docs {
            routes.extend(docs::of(program, self.launch.version.as_deref(), mode, token)?);
        }
        let paths: Vec<String> = routes.iter().map(|route| route.path().to_owned()).collect();
        site.assemble(router(routes)?, &paths, &self.settings).map(Some)
    }

    fn announce(&self, doors: &Doors) {
        let Some(Access { mode, token }) = self.access.get() else { return };
        let scheme = if self.settings.tls.is_some() { "https" } else { "http" };
        let http = doors.http.as_ref().map(|server| format!("{scheme}://{}", server.address()));
        let docs = http.as_ref().filter(|_| self.settings.docs).map(|http| format!("{http}/docs"));
        let operations = doors.ops.as_ref().map(|server| format!("http://{}", server.address()));
        let page = operations.as_ref().map(|operations| format!("{operations}/operations"));
        if http.is_none() && operations.is_none() {
            return;
        }
        tracing::info!(http, docs, operations, page, mode = mode.name(), "listening");
        if let Some(token) = token.to_print() {
            tracing::info!("the token of this run, for what is not for everybody: {token}");
        }
    }
}

impl Drop for HttpGateway {
    /// Whoever still looks sees the end, and holds nothing of the program any more.
    fn drop(&mut self) {
        if let Some(watched) = &self.doors().watched {
            watched.set(Phase::Stopped);
        }
    }
}

#[async_trait]
impl Gateway for HttpGateway {
    fn entrypoint(&self, service: ServiceParts) -> Option<Arc<dyn Entrypoint>> {
        let entrypoint = Arc::new(HttpEntrypoint::new(service, self.settings.requests, &self.sockets));
        self.services.lock().unwrap_or_else(PoisonError::into_inner).push(entrypoint.clone());
        Some(entrypoint)
    }

    async fn prepare(&self, program: Program) -> Result<()> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).iter().try_for_each(|service| service.check())?;
        let mode = Mode::read(program.settings(), program.is_in_memory())?;
        let token = Token::read(program.settings(), mode)?;
        let routers = self.assemble(&program, mode, &token)?;
        if let Some(routers) = &routers {
            // It is prepared once.
            let _ = self.routers.set(routers.clone());
        }
        if program.is_test() {
            return Ok(());
        }
        let watched = Arc::new(Watched::new(program, mode, self.launch.version.clone()));
        self.doors().watched = Some(watched.clone());
        // Before all that may take its time: who waits for its broker lives.
        if let Some(listener) = self.ops_settings.listen(self.launch.is_run).await? {
            let ops = ops::start(listener, watched, self.neighbours.clone(), &token)?;
            self.ports.operations(ops.address());
            self.doors().ops = Some(Arc::new(ops));
        }
        let _ = self.access.set(Access { mode, token });
        if routers.is_some() {
            // What is wrong with either ends the start before anything has run.
            let tls = self.settings.tls.as_ref().map(Tls::load).transpose()?;
            let bound = self.settings.address.bind().await?;
            self.doors().bound = Some((bound, tls));
        }
        Ok(())
    }

    async fn open(&self) -> Result<()> {
        let mut doors = self.doors();
        if let (Some((bound, tls)), Some(routers)) = (doors.bound.take(), self.routers.get()) {
            let server =
                Server::start(bound.listen()?, routers.clone(), Protocol::default(), self.settings.limits, tls)?;
            self.ports.opened(Spoken::Http, server.address(), self.settings.tls.is_some());
            doors.http = Some(Arc::new(server));
        }
        if let Some(watched) = &doors.watched {
            watched.set(Phase::Running);
        }
        self.announce(&doors);
        Ok(())
    }

    async fn stop_taking(&self) {
        let doors = self.doors();
        if let Some(watched) = &doors.watched {
            watched.set(Phase::Stopping);
        }
        if let Some(http) = &doors.http {
            http.drain();
        }
    }

    async fn drain(&self, grace: Duration) {
        let http = self.doors().http.clone();
        if let Some(http) = http {
            // Workers that are dropped at its end still answer, with 503.
            http.drained(grace + LAST_ANSWERS).await;
        }
    }

    async fn close(&self) {
        if let Some(watched) = &self.doors().watched {
            watched.set(Phase::Stopped);
        }
        let http = self.doors().http.take();
        if let Some(http) = http {
            http.close().await;
        }
    }
}
