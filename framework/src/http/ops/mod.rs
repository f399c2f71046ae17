//! Operations endpoints: a second, small server of the process, for those who run it. Health, what runs, metrics.
//!
//! It listens on this machine alone unless it is told otherwise, and starts before anything that may take its time, so that a program
//! that waits for its broker is seen to live.

mod health;
mod info;
mod mode;
mod token;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use tokio::net::TcpListener;

use self::{health::json_response, info::Program};
pub(crate) use self::{mode::Mode, token::Token};
use super::{
    RouteDefaults, problem,
    server::{self, Address, ConnectionLimits, Server},
};
use crate::{Result, config::Settings, container::Pulse};

const FIRST_PORT: u16 = 9000;
const LAST_PORT: u16 = 9099;

/// The settings `mode` and those below `ops.`.
#[derive(Debug, Clone)]
pub(crate) struct OpsSettings {
    address: Address,
    enabled: bool,
    pub(crate) mode: Mode,
    pub(crate) token: Token,
}

impl OpsSettings {
    /// `broker` is the URL that the program uses.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that make no sense.
    pub(crate) fn read(settings: &Settings, broker: &str) -> Result<Self> {
        let mode = Mode::read(settings, broker)?;
        Ok(Self {
            address: Address::read(settings, "ops.address", SocketAddr::from(([127, 0, 0, 1], FIRST_PORT)))?,
            enabled: settings.get("ops.enabled")?.unwrap_or(true),
            mode,
            token: Token::read(settings, mode)?,
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
        let listener = server::listen_first(FIRST_PORT..=LAST_PORT);
        if listener.is_none() {
            tracing::warn!(
                "no operations endpoints: the ports {FIRST_PORT} to {LAST_PORT} are all taken; set `ops.address`, or `ops.enabled` to false"
            );
        }
        Ok(listener)
    }
}

/// Everything that the endpoints look at.
struct Watched {
    pulse: Arc<Pulse>,
    program: Program,
}

/// Begins to answer.
pub(super) fn start(
    listener: TcpListener,
    settings: &OpsSettings,
    pulse: Arc<Pulse>,
    version: Option<String>,
) -> Result<Server> {
    let watched = Arc::new(Watched { pulse, program: Program::new(version, settings.mode) });
    // Few look, and none of them sends a body.
    let limits = ConnectionLimits { max_connections: 64, ..ConnectionLimits::default() };
    let requests = RouteDefaults { max_body_bytes: 65_536, ..RouteDefaults::default() };
    Server::start(listener, server::bounded(router(watched), requests), limits, None)
}

fn router(watched: Arc<Watched>) -> Router {
    Router::new()
        .route("/health/live", get(|| async { health::live() }))
        .route("/health/ready", get(|State(watched): State<Arc<Watched>>| async move { health::ready(&watched.pulse) }))
        .route(
            "/info",
            get(|State(watched): State<Arc<Watched>>| async move {
                json_response(StatusCode::OK, &watched.program.describe(&watched.pulse))
            }),
        )
        .route("/metrics", get(metrics))
        .fallback(|| async {
            let text = "no such path; there are /health/live, /health/ready, /info and /metrics";
            problem::response(&problem::plain(StatusCode::NOT_FOUND, text), "")
        })
        .with_state(watched)
}

/// An exposition without a metric: kinoko measures nothing of itself in this version. It is there, and valid, so that what scrapes it is
/// set up once.
async fn metrics() -> Response {
    let mut response = Response::new(Body::from("# EOF\n"));
    let exposition = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, exposition);
    response
}
