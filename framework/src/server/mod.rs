//! A server: one listener, its connections and their limits. What it serves, HTTP or gRPC, is said by whoever starts it.

mod activity;
mod connection;
mod io;
mod listener;
mod settings;
mod tls;

use std::{error::Error as StdError, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use self::connection::Shared;
#[cfg(feature = "http")]
pub(crate) use self::{listener::listen_first, settings::texts};
pub(crate) use self::{
    listener::{Address, Bound},
    settings::{ConnectionKeys, ConnectionLimits, lasting, number},
    tls::{Tls, TlsFiles, TlsKeys},
};
use crate::{Result, task::Tasks};

/// What answers the requests of a server.
pub(crate) trait Answer: Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Unpin + Send + 'static;

    /// One request, of whoever is connected from there.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static + use<Self>;
}

/// What a server speaks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Protocol {
    /// Not HTTP/1.1 as well.
    pub(crate) is_http2_only: bool,
    /// The most requests of one HTTP/2 connection at once; 200 where none is given.
    pub(crate) max_streams: Option<u32>,
    /// How often an HTTP/2 connection is asked whether its other side is there, and how long the answer may take.
    pub(crate) keep_alive: Option<(Duration, Duration)>,
}

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
pub(crate) struct Server {
    address: SocketAddr,
    stage: watch::Sender<Stage>,
    tasks: Tasks,
}

/// Connects to a server in this process: the other end of a connection that no system has.
#[cfg(feature = "testing")]
pub(crate) type Connect = Arc<dyn Fn() -> tokio::io::DuplexStream + Send + Sync>;

impl Server {
    /// Begins to answer who connects in this process, and nobody else: a test, whose clock may stand still.
    #[cfg(feature = "testing")]
    pub(crate) fn in_memory(answer: impl Answer, protocol: Protocol, limits: ConnectionLimits) -> (Self, Connect) {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let (stage, seen) = watch::channel(Stage::Open);
        let tasks = Tasks::new();
        let shared = Arc::new(Shared::new(answer, protocol, limits, None, &tasks));
        let (places, connections) = (Arc::new(Semaphore::new(limits.max_connections)), tasks.clone());
        let connect = move || {
            let (own, other) = tokio::io::duplex(64 * 1024);
            // Where there is no place any more, the other end is closed at once.
            if let Ok(place) = places.clone().try_acquire_owned() {
                let (shared, stage) = (shared.clone(), seen.clone());
                connections.spawn(async move { shared.speak(own, address, stage, place).await });
            }
            other
        };
        (Self { address, stage, tasks }, Arc::new(connect))
    }

    /// Begins to accept.
    pub(crate) fn start(
        listener: TcpListener,
        answer: impl Answer,
        protocol: Protocol,
        limits: ConnectionLimits,
        tls: Option<Tls>,
    ) -> Result<Self> {
        let address = listener.local_addr()?;
        let (stage, seen) = watch::channel(Stage::Open);
        let tasks = Tasks::new();
        let shared = Arc::new(Shared::new(answer, protocol, limits, tls, &tasks));
        tasks.spawn(accept(listener, shared, Arc::new(Semaphore::new(limits.max_connections)), seen, tasks.clone()));
        Ok(Self { address, stage, tasks })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, and tells connections to close when their requests are answered.
    pub(crate) fn drain(&self) {
        self.stage.send_replace(Stage::Draining);
    }

    /// Waits until all connections have closed after [`drain`](Self::drain), up to `grace`.
    pub(crate) async fn drained(&self, grace: Duration) {
        if timeout(grace, self.tasks.join()).await.is_err() {
            tracing::warn!(address = %self.address, tasks = self.tasks.len(), "closing connections with requests that still run");
        }
    }

    /// Closes what is left. What runs for it is dropped.
    pub(crate) async fn close(&self) {
        self.stage.send_replace(Stage::Closed);
        let _ = timeout(CLOSE_LIMIT, self.tasks.join()).await;
    }
}

/// Accepts as long as there are places; who finds none waits in the system's queue.
async fn accept(
    listener: TcpListener,
    shared: Arc<Shared<impl Answer>>,
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
