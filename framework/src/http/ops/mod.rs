//! Operations endpoints: a second, small server of the process, for those who run it. Health, what runs, metrics.
//!
//! It listens on this machine alone unless it is told otherwise, and starts before anything that may take its time, so that a program
//! that waits for its broker is seen to live.

mod guard;
mod health;
mod hystrix;
mod info;
mod live;
mod log_level;
mod page;
mod past;
mod policies;
#[cfg(feature = "saga")]
mod sagas;
mod token;

use std::{net::SocketAddr, sync::Arc};

#[cfg(feature = "metrics")]
use axum::http::HeaderMap;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

pub(crate) use self::token::Token;
use self::{health::json_response, info::About, page::Page};
use super::{
    entrypoint::RouteDefaults,
    problem,
    serving::{Routers, bounded},
};
#[cfg(feature = "metrics")]
use crate::metrics::Exposition;
#[cfg(feature = "saga")]
use crate::saga::SagaStore;
use crate::{
    Result,
    config::{Mode, Settings},
    container::Program,
    discovery::Neighbours,
    server::{Address, ConnectionLimits, Protocol, Server, listen_first},
};

const FIRST_PORT: u16 = 9000;
const LAST_PORT: u16 = 9099;

/// The settings below `ops.`.
#[derive(Debug, Clone)]
pub(super) struct OpsSettings {
    address: Address,
    enabled: bool,
}

impl OpsSettings {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that make no sense, of the mode and the token as well.
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        Token::read(settings, Mode::read(settings, true)?)?;
        #[cfg(feature = "metrics")]
        settings.get::<bool>("metrics.enabled")?;
        Ok(Self {
            address: Address::read(settings, "ops.address", SocketAddr::from(([127, 0, 0, 1], FIRST_PORT)))?,
            enabled: settings.get("ops.enabled")?.unwrap_or(true),
        })
    }

    /// Listens where the settings say; where they say nothing, on the first free port of a hundred, if `by_default`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an address that was set and is taken.
    pub(super) async fn listen(&self, by_default: bool) -> Result<Option<TcpListener>> {
        if !self.enabled {
            return Ok(None);
        }
        if self.address.is_set {
            return Ok(Some(self.address.bind().await?.listen()?));
        }
        if !by_default {
            return Ok(None);
        }
        let listener = listen_first(FIRST_PORT..=LAST_PORT);
        if listener.is_none() {
            tracing::warn!(
                "no operations endpoints: the ports {FIRST_PORT} to {LAST_PORT} are all taken; set `ops.address`, or `ops.enabled` to false"
            );
        }
        Ok(listener)
    }
}

/// How far the program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Running,
    Stopping,
    /// Nothing runs any more.
    Stopped,
}

/// Everything that the endpoints look at.
pub(super) struct Watched {
    program: Program,
    about: About,
    phase: watch::Sender<Phase>,
}

impl Watched {
    pub(super) fn new(program: Program, mode: Mode, version: Option<String>) -> Self {
        let about = About::new(version, mode);
        Self { program, about, phase: watch::Sender::new(Phase::Starting) }
    }

    pub(super) fn set(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// How far it is, as it goes on.
    fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }
}

/// Begins to answer. `token` is what those bring who may see more than how the program does, or change something.
pub(super) fn start(
    listener: TcpListener,
    watched: Arc<Watched>,
    neighbours: Neighbours,
    token: &Token,
) -> Result<Server> {
    // Few look, and none of them sends a body.
    let limits = ConnectionLimits { max_connections: 64, ..ConnectionLimits::default() };
    let requests = RouteDefaults { max_body_bytes: 65_536, ..RouteDefaults::default() };
    let routers = Routers::from(bounded(router(watched, neighbours, token), requests));
    Server::start(listener, routers, Protocol::default(), limits, None)
}

/// The sagas in the program's log, where it has one.
#[cfg(feature = "saga")]
fn sagas(watched: &Watched, token: &Token) -> Option<Router> {
    Some(sagas::router(watched.program.shared::<SagaStore>()?, token.clone()))
}

#[cfg(not(feature = "saga"))]
fn sagas(_: &Watched, _: &Token) -> Option<Router> {
    None
}

fn router(watched: Arc<Watched>, neighbours: Neighbours, token: &Token) -> Router {
    let sagas = sagas(&watched, token);
    let page = Page::new(watched.about.name(), token.to_print(), sagas.is_some());
    let further = page.router().merge(live::router(&watched, neighbours, token));
    let policies = policies::router(&watched, token).merge(hystrix::router(&watched));
    let mut paths = vec![
        "/health/live",
        "/health/ready",
        "/info",
        "/metrics",
        log_level::PATH,
        "/operations",
        policies::PATH,
        hystrix::PATH,
    ];
    if sagas.is_some() {
        paths.push("/sagas");
    }
    let there_are = format!("no such path; there are {}", paths.join(", "));
    Router::new()
        .route("/health/live", get(|| async { health::live() }))
        .route("/health/ready", get(|State(watched): State<Arc<Watched>>| async move { health::ready(&watched) }))
        .route(
            "/info",
            get(|State(watched): State<Arc<Watched>>| async move {
                json_response(StatusCode::OK, &watched.about.describe(&watched.program))
            }),
        )
        .merge(metrics(&watched))
        .with_state(watched)
        .merge(log_level::router(token))
        .merge(policies)
        .merge(further)
        .merge(sagas.unwrap_or_default())
        .fallback(|| async { problem::response(&problem::plain(StatusCode::NOT_FOUND, there_are), "") })
        .method_not_allowed_fallback(|| async { problem::response(&problem::method_not_allowed(), "") })
}

/// What Prometheus scrapes.
#[cfg(feature = "metrics")]
fn metrics(watched: &Watched) -> Router<Arc<Watched>> {
    let Watched { program, about, .. } = watched;
    let settings = program.settings();
    if !settings.get("metrics.enabled").ok().flatten().unwrap_or(true) {
        return Router::new();
    }
    let exposition = Arc::new(Exposition::new(program, about.name(), about.version()));
    let answer = async move |headers: HeaderMap| {
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let (content_type, text) = exposition.answer(accept);
        ([(header::CONTENT_TYPE, content_type)], text)
    };
    Router::new().route("/metrics", get(answer))
}

/// An exposition without a metric: it is there, and valid, so that what scrapes it is set up once.
#[cfg(not(feature = "metrics"))]
fn metrics(_: &Watched) -> Router<Arc<Watched>> {
    const EXPOSITION: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Router::new().route("/metrics", get(|| async { ([(header::CONTENT_TYPE, EXPOSITION)], "# EOF\n") }))
}
