//! The HTTP server: one listener, its connections and their limits. What it serves is a [`Router`] that others made.

mod activity;
mod body;
mod compression;
mod connection;
mod cors;
mod io;
mod listener;
mod settings;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, header},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use self::connection::Shared;
pub(crate) use self::settings::HttpSettings;
pub(in crate::http) use self::{
    body::{bounded, check_declared, watched},
    listener::{Address, Bound, listen_first},
    settings::{ConnectionLimits, lasting, number, texts},
    tls::Tls,
};
use crate::{Result, task::Tasks};

/// How long to wait after the system had no place for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(500);

/// How long connections that were dropped may take to be gone.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// How far a server is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Takes no connections, and closes those that it has when they rest.
    Draining,
    Closed,
}

/// A listener and its connections. Dropped, they end.
#[derive(Debug)]
pub(in crate::http) struct Server {
    address: SocketAddr,
    stage: watch::Sender<Stage>,
    tasks: Tasks,
}

impl Server {
    /// Begins to accept.
    pub(in crate::http) fn start(
        listener: TcpListener,
        routers: Routers,
        limits: ConnectionLimits,
        tls: Option<Tls>,
    ) -> Result<Self> {
        let address = listener.local_addr()?;
        let (stage, seen) = watch::channel(Stage::Open);
        let tasks = Tasks::new();
        let shared = Arc::new(Shared::new(routers, limits, tls, &tasks));
        tasks.spawn(accept(listener, shared, Arc::new(Semaphore::new(limits.max_connections)), seen, tasks.clone()));
        Ok(Self { address, stage, tasks })
    }

    /// Where it listens.
    pub(in crate::http) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, and tells connections to close when their requests are answered.
    pub(in crate::http) fn drain(&self) {
        self.stage.send_replace(Stage::Draining);
    }

    /// Waits until all connections have closed after [`drain`](Self::drain), up to `grace`.
    pub(in crate::http) async fn drained(&self, grace: Duration) {
        if timeout(grace, self.tasks.join()).await.is_err() {
            tracing::warn!(address = %self.address, tasks = self.tasks.len(), "closing connections with requests that still run");
        }
    }

    /// Closes what is left. What runs for it is dropped.
    pub(in crate::http) async fn close(&self) {
        self.stage.send_replace(Stage::Closed);
        let _ = timeout(CLOSE_LIMIT, self.tasks.join()).await;
    }
}

/// A router, and the same with compression, for callers that take it: the others need not pay for asking.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Routers {
    plain: Router,
    packing: Option<Router>,
}

impl Routers {
    /// A router with what goes around all of its requests: CORS, then compression outermost.
    pub(in crate::http) fn surround(router: Router, settings: &HttpSettings) -> Self {
        let plain = match &settings.cors {
            Some(cors) => router.layer(cors.layer()),
            None => router,
        };
        let packing = settings.compression.then(|| plain.clone().layer(compression::layer()));
        Self { plain, packing }
    }

    /// The one that does all of it, what a connection does to answers included.
    #[cfg(feature = "testing")]
    pub(in crate::http) fn whole(self) -> Router {
        use axum::{extract::Request, middleware};

        self.packing.unwrap_or(self.plain).layer(middleware::from_fn(
            |request: Request, next: middleware::Next| async {
                let id = super::context::RequestId::of(request.headers());
                let mut response = next.run(request).await;
                id.name(&mut response);
                response
            },
        ))
    }

    /// The one for a request with these headers.
    pub(in crate::http) fn of(&self, headers: &HeaderMap) -> &Router {
        self.packing.as_ref().filter(|_| headers.contains_key(header::ACCEPT_ENCODING)).unwrap_or(&self.plain)
    }
}

impl From<Router> for Routers {
    fn from(plain: Router) -> Self {
        Self { plain, packing: None }
    }
}

/// Accepts as long as there are places; who finds none waits in the system's queue.
async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    mut stage: watch::Receiver<Stage>,
    tasks: Tasks,
) {
    let seen = stage.clone();
    let accepting = async {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (stream, peer) = loop {
                match listener.accept().await {
                    Ok(accepted) => break accepted,
                    // One that had gone before it was accepted.
                    Err(error) if is_of_connection(&error) => {}
                    Err(error) => {
                        tracing::error!(%error, "no connection can be accepted just now");
                        sleep(EXHAUSTED_PAUSE).await;
                    }
                }
            };
            tasks.spawn(shared.clone().serve(stream, peer, seen.clone(), place));
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stage.wait_for(|stage| *stage != Stage::Open) => {}
    }
}

fn is_of_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
