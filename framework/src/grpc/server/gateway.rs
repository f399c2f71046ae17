//! gRPC as a program has it: the methods of all its services behind one listener, with health and reflection beside them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use http::HeaderValue;
use tokio::sync::watch;

use super::{
    entrypoint::GrpcEntrypoint,
    health::{self, Phase},
    reflection,
    settings::GrpcSettings,
    table::Table,
};
use crate::{
    Result, Settings,
    container::{Extensions, Gateway, Launch, Program, ServiceParts},
    discovery::{Ports, Protocol},
    entrypoint::Entrypoint,
    grpc::own::{OwnPlace, OwnServer},
    server::{Bound, Server, Tls},
};

/// How long the answers of workers that were dropped may take to leave.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// The gRPC side of a program.
pub(crate) struct GrpcGateway {
    settings: GrpcSettings,
    launch: Launch,
    ports: Ports,
    services: Mutex<Vec<Arc<GrpcEntrypoint>>>,
    phase: watch::Sender<Phase>,
    own: OnceLock<OwnServer>,
    door: Mutex<Door>,
}

/// What listens, or is about to. Dropped, it ends with its connections.
#[derive(Default)]
struct Door {
    bound: Option<(Listening, Table)>,
    server: Option<Arc<Server>>,
}

/// Where to listen.
enum Listening {
    At(Bound, Option<Tls>),
    /// Nowhere: `kinoko::testing` connects in this process.
    InMemory,
}

impl GrpcGateway {
    pub(crate) fn make(settings: &Settings, extensions: &mut Extensions) -> Result<Arc<dyn Gateway>> {
        Ok(Arc::new(Self {
            settings: GrpcSettings::read(settings)?,
            launch: extensions.get::<Launch>().clone(),
            ports: extensions.get::<Ports>().clone(),
            services: Mutex::default(),
            phase: watch::Sender::new(Phase::Starting),
            own: OnceLock::new(),
            door: Mutex::default(),
        }))
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let server = self.door().server.clone()?;
        (server.address().port() > 0).then(|| server.address())
    }

    /// Connects in this process, where the program is a test's.
    #[cfg(feature = "testing")]
    pub(crate) fn own(&self) -> OwnServer {
        self.own.get().cloned().unwrap_or_default()
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is served.
    fn table(&self, program: &Program) -> Result<Table> {
        let version = self.launch.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"));
        let name = if self.launch.version.is_some() { program_name(program) } else { "kinoko".to_owned() };
        let server = HeaderValue::from_str(&format!("{name}/{version}")).unwrap_or(HeaderValue::from_static("kinoko"));
        let descriptors = program.descriptors();
        let infos = || descriptors.iter().flat_map(|descriptor| descriptor.grpc);
        let mut own = vec![health::of(program.clone(), served(program).into(), self.phase.subscribe())];
        if self.settings.reflection {
            own.extend(reflection::of(infos())?);
        }
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        Table::new(services.iter().flat_map(|service| service.methods(&server)), own, server.clone())
    }
}

/// The services of `.proto` files of which a program serves anything.
fn served(program: &Program) -> Vec<&'static str> {
    let mut names: Vec<_> =
        program.descriptors().iter().flat_map(|descriptor| descriptor.grpc).map(|info| info.service).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What a program is called, by what it serves.
fn program_name(program: &Program) -> String {
    let names: Vec<_> = program.descriptors().iter().map(|descriptor| descriptor.name).collect();
    names.join("+")
}

#[async_trait]
impl Gateway for GrpcGateway {
    fn entrypoint(&self, service: ServiceParts) -> Option<Arc<dyn Entrypoint>> {
        if service.service.descriptor().grpc.is_empty() {
            return None;
        }
        let entrypoint = Arc::new(GrpcEntrypoint::new(service, self.settings.calls));
        self.services.lock().unwrap_or_else(PoisonError::into_inner).push(entrypoint.clone());
        Some(entrypoint)
    }

    async fn prepare(&self, program: Program) -> Result<()> {
        let own = program.shared::<OwnServer>().unwrap_or_default();
        own.check(&served(&program))?;
        let _ = self.own.set(own);
        if self.services.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Ok(());
        }
        let table = self.table(&program)?;
        // What is wrong with either ends the start before anything has run.
        let listening = match program.is_test() {
            true => Listening::InMemory,
            false => {
                let tls = self.settings.tls.as_ref().map(Tls::load).transpose()?;
                Listening::At(self.settings.address.bind().await?, tls)
            }
        };
        self.door().bound = Some((listening, table));
        Ok(())
    }

    async fn open(&self) -> Result<()> {
        let mut door = self.door();
        if let Some((listening, table)) = door.bound.take() {
            let GrpcSettings { protocol, limits, .. } = self.settings;
            let (server, place) = match listening {
                Listening::At(bound, tls) => {
                    let is_tls = tls.is_some();
                    let server = Server::start(bound.listen()?, table, protocol, limits, tls)?;
                    let address = server.address();
                    tracing::info!(grpc = %address, tls = is_tls, "listening");
                    self.ports.opened(Protocol::Grpc, address, is_tls);
                    (server, OwnPlace::At(address, is_tls))
                }
                #[cfg(feature = "testing")]
                Listening::InMemory => {
                    let (server, connect) = Server::in_memory(table, protocol, limits);
                    (server, OwnPlace::InMemory(connect))
                }
                #[cfg(not(feature = "testing"))]
                Listening::InMemory => return Ok(()),
            };
            door.server = Some(Arc::new(server));
            if let Some(own) = self.own.get() {
                own.opened(place);
            }
        }
        self.phase.send_replace(Phase::Running);
        Ok(())
    }

    async fn stop_taking(&self) {
        self.phase.send_replace(Phase::Stopping);
        if let Some(server) = &self.door().server {
            server.drain();
        }
    }

    async fn drain(&self, grace: Duration) {
        let server = self.door().server.clone();
        if let Some(server) = server {
            // Workers that are dropped at its end still answer.
            server.drained(grace + LAST_ANSWERS).await;
        }
    }

    async fn close(&self) {
        let server = self.door().server.take();
        if let Some(server) = server {
            server.close().await;
        }
    }
}
