use std::{
    net::Shutdown,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream::BoxStream};
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, Event, options::BasicQosOptions, tcp::AMQPUriTcpExt,
    types::ShortString,
};
use socket2::{SockRef, Socket};
use tokio::time;

use super::{failure::ConnectFailure, uri::Address};

/// For connecting and the handshake together: lapin waits for a silent peer for ever.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// For the TCP connection alone, which lapin's own thread waits for.
const TCP_LIMIT: Duration = Duration::from_secs(5);

/// How often a connection is asked for a sign of life. With [`PROBE_LIMIT`] a silent peer is noticed within 3 s; its heartbeats would take 12.
const PROBE_EVERY: Duration = Duration::from_millis(750);

/// How long the sign of life may take.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

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
}

impl Wire {
    /// Connects, within limits. Also returns the connection's one stream of events.
    pub(super) async fn open(
        address: &Address,
        name: &str,
        role: Role,
        frame_max: Option<u32>,
    ) -> Result<(Self, BoxStream<'static, Event>), ConnectFailure> {
        let runtime =
            lapin::runtime::default_runtime().map_err(|error| ConnectFailure::Unavailable(error.to_string()))?;
        let socket = Hold::default();
        let slot = socket.0.clone();
        let suffix = match role {
            Role::Publishing => "publishing",
            Role::Consuming => "consuming",
        };
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("{name} ({suffix})").into())
            .with_client_property("product".into(), "kinoko".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        // lapin's own thread runs this closure, and stays there as long as it takes: so the limit must be within.
        let connecting = Connection::connector(
            address.to_lapin(frame_max),
            runtime,
            async move |uri, runtime| {
                let stream = time::timeout(TCP_LIMIT, uri.connect_async(&runtime))
                    .await
                    .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))?;
                if let AsyncTcpStream::Plain(tcp) = &stream {
                    let duplicate = SockRef::from(tcp.get_ref()).try_clone()?;
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(duplicate);
                }
                Ok(stream)
            },
            properties,
        );
        let handshake = async {
            let connection = connecting.await?;
            let events = connection.events_listener().boxed();
            let probe = connection.create_channel().await?;
            Ok::<_, lapin::Error>((connection, events, probe))
        };
        let outcome = time::timeout(CONNECT_LIMIT, handshake).await;
        match outcome {
            Ok(Ok((connection, events, probe))) => Ok((Self { role, connection, socket, probe }, events)),
            Ok(Err(error)) => Err(ConnectFailure::from_lapin(&error, address)),
            Err(_) => Err(ConnectFailure::Unavailable(format!("no answer to the handshake within {CONNECT_LIMIT:?}"))),
        }
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
            let mut patience = self.patience();
            loop {
                match time::timeout(PROBE_LIMIT, &mut answer).await {
                    Ok(Ok(())) => break,
                    Ok(Err(error)) => return error.to_string(),
                    Err(_) if self.is_blocked() => break,
                    Err(_) if patience > 1 => patience -= 1,
                    Err(_) => return format!("no sign of life for {:?}", PROBE_LIMIT * self.patience()),
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
#[derive(Default)]
struct Hold(Arc<Mutex<Option<Socket>>>);

impl Hold {
    fn shut_down(&self) {
        if let Some(socket) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
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
