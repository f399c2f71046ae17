use std::{fmt, time::Duration};

use serde::Serialize;

use super::{frame, relay::Relayed, socket::Socket, sockets::Sockets};
use crate::{
    Result,
    dependency::{Dependency, SetupContext},
};

/// Sends events to websockets of a service, by channel or by id, in whichever instance they are. A field of the service; cheap to clone.
/// Nameko's `WebSocketHubProvider`.
///
/// Sockets of this instance get an event at once, those of others through the broker, by an exchange of kinoko's own. A broker that is away
/// is waited for up to the setting `dispatch_timeout` (30 s), and no longer than the worker may run; then the call fails, and the sockets
/// of this instance have the event all the same.
///
/// Delivery is **at most once**: an instance that is cut off from the broker, or a socket that is lost, misses what is sent meanwhile. What must
/// arrive is read again by the client when it connects.
///
/// # Examples
///
/// ```
/// use kinoko::{http::{Socket, WebSocketHub}, prelude::*};
///
/// #[derive(Dependencies)]
/// struct Chat {
///     hub: WebSocketHub,
/// }
///
/// #[service(name = "chat")]
/// impl Chat {
///     #[websocket]
///     fn join(&self, #[inject] socket: Socket, room: String) -> kinoko::Result<()> {
///         self.hub.subscribe(&socket, &room)
///     }
///
///     #[websocket]
///     async fn say(&self, room: String, text: String) -> kinoko::Result<()> {
///         self.hub.broadcast(&room, "said", &text).await
///     }
/// }
/// ```
#[derive(Clone)]
pub struct WebSocketHub(Sockets);

impl Default for WebSocketHub {
    /// A hub of no program, for tests of a service as a plain struct: nobody is connected to it.
    fn default() -> Self {
        Self(Sockets::new(Duration::ZERO))
    }
}

impl WebSocketHub {
    /// Subscribes a socket to a channel, until it unsubscribes or goes away. A second time changes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) where it has gone away.
    pub fn subscribe(&self, socket: &Socket, channel: &str) -> Result<()> {
        self.0.subscribe(socket, channel)
    }

    /// Ends a subscription, if there is one.
    pub fn unsubscribe(&self, socket: &Socket, channel: &str) {
        self.0.unsubscribe(socket, channel);
    }

    /// The channels that a socket is subscribed to, in the order of their names. None where it has gone away.
    pub fn subscriptions(&self, socket: &Socket) -> Vec<String> {
        self.0.subscriptions(socket)
    }

    /// Sends an event to all sockets that are subscribed to a channel, in every instance of the service. At most once each.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) for data that has no form in JSON: then nobody gets it. Others when the broker could not be
    /// reached or did not say that it has the event: then the sockets of this instance have it, and those of others perhaps not.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the sockets of this instance have the event, those of others perhaps not.
    pub async fn broadcast<T: Serialize + ?Sized>(&self, channel: &str, event: &str, data: &T) -> Result<()> {
        let text = frame::event(event, data)?;
        self.0.to_channel(channel, &text);
        match self.0.relay() {
            Some(relay) => relay.send(&self.0, Relayed::Channel(channel), text).await.map(drop),
            None => Ok(()),
        }
    }

    /// Sends an event to one socket, by its [id](Socket::id). At most once.
    ///
    /// `true`: this instance has it and the event waits to be written, or the instance that it belongs to gets the event.
    /// `false`: nobody has it. A socket that goes away is not told of afterwards.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the socket gets the event or not.
    pub async fn unicast<T: Serialize + ?Sized>(&self, socket_id: &str, event: &str, data: &T) -> Result<bool> {
        let text = frame::event(event, data)?;
        match (self.0.elsewhere(socket_id), self.0.relay()) {
            (Some(instance), Some(relay)) => relay.send(&self.0, Relayed::Socket(socket_id, instance), text).await,
            _ => Ok(self.0.to_socket(socket_id, text)),
        }
    }
}

impl Dependency for WebSocketHub {
    type Options = ();

    async fn setup(cx: &SetupContext, (): ()) -> Result<Self> {
        // Every field of this type has the same sockets.
        cx.require::<Sockets>().await.map(Self)
    }
}

impl fmt::Debug for WebSocketHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketHub").finish_non_exhaustive()
    }
}
