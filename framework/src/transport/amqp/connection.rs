use std::{
    io,
    net::Shutdown,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_rs::Tokio;
use futures_util::{StreamExt, stream::BoxStream};
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, Event, options::BasicQosOptions, types::ShortString,
};
use socket2::{SockRef, Socket};
use tokio::time::{self, Instant};

#[cfg(feature = "tls")]
use super::tls;
use super::{
    failure::ConnectFailure,
    guard::{self, Heard, guarded},
    uri::Address,
};

/// For looking the host up, connecting and the handshakes of TLS and AMQP together: lapin waits for a silent peer for ever.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How often a connection is asked for a sign of life. With [`PROBE_LIMIT`] a silent peer is noticed within 3 s; its heartbeats would take 12.
const PROBE_EVERY: Duration = Duration::from_millis(750);

/// How long nothing may come, neither the sign of life nor anything else.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// How often it is looked whether anything came.
const PROBE_STEP: Duration = Duration::from_millis(250);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Publishing,
    Consuming,
}

/// One lapin connection, with a hold on its socket and a channel for probes.
pub(super) struct Wire {
    role: Role,
    connection: Connection,
    socket: Hold,
    probe: Channel,
    heard: Heard,
}

impl Wire {
    /// Connects, within a limit. Also returns the connection's one stream of events.
    pub(super) async fn open(
        address: &Address,
        name: &str,
        role: Role,
        frame_max: Option<u32>,
    ) -> Result<(Self, BoxStream<'static, Event>), ConnectFailure> {
        let connecting = Self::connect(address, name, role, frame_max);
        time::timeout(CONNECT_LIMIT, connecting)
            .await
            .unwrap_or_else(|_| Err(ConnectFailure::Unavailable(format!("no connection within {CONNECT_LIMIT:?}"))))
    }

    async fn connect(
        address: &Address,
        name: &str,
        role: Role,
        frame_max: Option<u32>,
    ) -> Result<(Self, BoxStream<'static, Event>), ConnectFailure> {
        // Connected here: a wait on lapin's own thread could not be interrupted, and panics when this runtime ends meanwhile.
        let io = |error| ConnectFailure::from_io(&error, address);
        let addresses = tokio::net::lookup_host((&*address.host, address.port)).await.map_err(io)?.collect::<Vec<_>>();
        let stream = AsyncTcpStream::connect(&Tokio::current(), addresses).await.map_err(io)?;
        let socket = match &stream {
            AsyncTcpStream::Plain(tcp) => Hold(Some(SockRef::from(tcp.get_ref()).try_clone().map_err(io)?)),
            // It was just opened, so it is plain yet; but another crate may have turned on TLS in lapin.
            #[allow(unreachable_patterns)]
            _ => Hold(None),
        };
        #[cfg(feature = "tls")]
        let stream = match &address.tls {
            Some(tls) => tls::handshake(stream, tls, address).await?,
            None => stream,
        };
        let suffix = match role {
            Role::Publishing => "publishing",
            Role::Consuming => "consuming",
        };
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("{name} ({suffix})").into())
            .with_client_property("product".into(), "kinoko".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        let (stream, heard) = guarded(stream);
        let stream = Mutex::new(Some(stream));
        let connecting = Connection::connector(
            address.to_lapin(frame_max),
            guard::runtime(),
            async move |_, _| {
                let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
            },
            properties,
        );
        let refused = |error| ConnectFailure::from_lapin(&error, address);
        let connection = match connecting.await {
            Ok(connection) => connection,
            #[cfg(feature = "tls")]
            Err(error)
                if error.is_io_error()
                    && let Some(tls) = &address.tls =>
            {
                return Err(tls::why_cut(tls, address).await.unwrap_or_else(|| refused(error)));
            }
            Err(error) => return Err(refused(error)),
        };
        let events = connection.events_listener().boxed();
        let probe = connection.create_channel().await.map_err(refused)?;
        Ok((Self { role, connection, socket, probe, heard }, events))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.status().connected()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Ends the connection at the socket: nothing that waits in lapin can be written any more, and all that waits there fails at once.
    pub(super) fn kill(&self) {
        self.socket.shut_down();
    }

    /// Asks for the end and waits for it, within `limit`.
    pub(super) async fn close(&self, limit: Duration) {
        // Whatever comes of it, the socket is shut down next.
        let _ = time::timeout(limit, self.connection.close(200, ShortString::from("closed by the application"))).await;
        self.kill();
    }

    /// Runs for as long as the peer gives signs of life; returns why not any more.
    pub(super) async fn probe(&self) -> String {
        loop {
            time::sleep(PROBE_EVERY).await;
            // Even a reply to a probe that was sent before the alarm may be held back.
            if self.is_blocked() {
                continue;
            }
            let mut answer = std::pin::pin!(self.probe.basic_qos(1, BasicQosOptions::default()));
            let limit = PROBE_LIMIT * self.patience();
            let (mut heard, mut since) = (self.heard.bytes(), Instant::now());
            loop {
                match time::timeout(PROBE_STEP, &mut answer).await {
                    Ok(Ok(())) => break,
                    Ok(Err(error)) => return error.to_string(),
                    Err(_) if self.is_blocked() => break,
                    // The answer stands behind deliveries, perhaps gigabytes of them. Given up, all of them would come again.
                    Err(_) if self.heard.bytes() != heard => (heard, since) = (self.heard.bytes(), Instant::now()),
                    Err(_) if since.elapsed() < limit => {}
                    Err(_) => return format!("no sign of life for {limit:?}"),
                }
            }
        }
    }

    /// The broker stops reading from a connection that publishes faster than its queues take ("flow"), without telling.
    /// A dead peer shows on the consuming connection.
    fn patience(&self) -> u32 {
        match self.role {
            Role::Consuming => 1,
            Role::Publishing => 4,
        }
    }
}

/// A second handle of a connection's socket, which shuts it down with its own drop:
/// lapin's thread would go on waiting for a peer that nobody waits for any more.
struct Hold(Option<Socket>);

impl Hold {
    fn shut_down(&self) {
        if let Some(socket) = &self.0 {
            // It fails where the peer was first.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shut_down();
    }
}
