//! The sockets of one service in this instance, and what each is subscribed to.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use uuid::Uuid;

use super::{
    outbox::{Closing, Outbox},
    relay::Relay,
    socket::Socket,
};
use crate::{
    Error, ErrorKind, Result,
    dependency::{Dependency, SetupContext},
};

/// The sockets of one service in this instance. Shared by its hub and its endpoint.
#[derive(Clone)]
pub(super) struct Sockets(Arc<Shared>);

struct Shared {
    /// What the ids of its sockets begin with, so that other instances know where a socket is.
    instance: Instance,
    table: Mutex<Table>,
    /// The way to other instances, once the service has started.
    relay: OnceLock<Relay>,
    /// How long a broadcast may wait for the broker.
    timeout: Duration,
}

#[derive(Default)]
struct Table {
    sockets: HashMap<String, Entry>,
    channels: HashMap<String, HashMap<String, Socket>>,
    stopping: bool,
}

struct Entry {
    socket: Socket,
    channels: BTreeSet<String>,
}

/// One instance of a service: the first half of the UUIDs of its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instance([u8; 8]);

impl Instance {
    fn new() -> Self {
        Self::of(&Uuid::new_v4())
    }

    fn of(id: &Uuid) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *id.as_bytes();
        Self([a, b, c, d, e, f, g, h])
    }

    /// Where the socket of this id is.
    fn of_socket(socket_id: &str) -> Option<Self> {
        Uuid::parse_str(socket_id).ok().map(|id| Self::of(&id))
    }

    /// The id of a new socket: a UUID like Nameko's, whose second half is random.
    fn socket_id(self) -> String {
        let mut bytes = *Uuid::new_v4().as_bytes();
        bytes[..8].copy_from_slice(&self.0);
        Uuid::from_bytes(bytes).to_string()
    }
}

impl std::fmt::Display for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A socket that is connected; dropped, it is no longer, and its subscriptions end.
pub(super) struct Connected {
    sockets: Sockets,
    socket: Socket,
}

impl std::ops::Deref for Connected {
    type Target = Socket;
    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let id = self.socket.id();
        let mut table = self.sockets.table();
        let Some(entry) = table.sockets.remove(id) else { return };
        for channel in &entry.channels {
            table.leave(channel, id);
        }
    }
}

impl Table {
    fn leave(&mut self, channel: &str, id: &str) {
        if let Some(subscribed) = self.channels.get_mut(channel) {
            subscribed.remove(id);
            if subscribed.is_empty() {
                self.channels.remove(channel);
            }
        }
    }
}

impl Sockets {
    pub(super) fn new(timeout: Duration) -> Self {
        let (instance, table, relay) = (Instance::new(), Mutex::default(), OnceLock::new());
        Self(Arc::new(Shared { instance, table, relay, timeout }))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn instance(&self) -> Instance {
        self.0.instance
    }

    pub(super) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    pub(super) fn relay(&self) -> Option<&Relay> {
        self.0.relay.get()
    }

    pub(super) fn set_relay(&self, relay: Relay) {
        // A service starts once.
        let _ = self.0.relay.set(relay);
    }

    /// Adds a socket; `None` where the service stops.
    pub(super) fn connect(&self, outbox: Outbox) -> Option<Connected> {
        let socket = Socket::new(self.0.instance.socket_id(), outbox);
        let mut table = self.table();
        if table.stopping {
            return None;
        }
        let entry = Entry { socket: socket.clone(), channels: BTreeSet::new() };
        table.sockets.insert(socket.id().to_owned(), entry);
        Some(Connected { sockets: self.clone(), socket })
    }

    /// Takes no more sockets, and closes each when its calls are answered.
    pub(super) fn stop(&self) {
        let mut table = self.table();
        table.stopping = true;
        for entry in table.sockets.values() {
            entry.socket.outbox().finish(Closing::new(axum::extract::ws::close_code::AWAY, "the service stops"));
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.table().stopping
    }

    pub(super) fn subscribe(&self, socket: &Socket, channel: &str) -> Result<()> {
        let mut table = self.table();
        let Some(entry) = table.sockets.get_mut(socket.id()) else {
            return Err(Error::new(ErrorKind::Closed, format!("the socket {} is not connected any more", socket.id())));
        };
        if entry.channels.insert(channel.to_owned()) {
            let subscribed = table.channels.entry(channel.to_owned()).or_default();
            subscribed.insert(socket.id().to_owned(), socket.clone());
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&self, socket: &Socket, channel: &str) {
        let mut table = self.table();
        if let Some(entry) = table.sockets.get_mut(socket.id()) {
            entry.channels.remove(channel);
        }
        table.leave(channel, socket.id());
    }

    pub(super) fn subscriptions(&self, socket: &Socket) -> Vec<String> {
        let table = self.table();
        table.sockets.get(socket.id()).map(|entry| entry.channels.iter().cloned().collect()).unwrap_or_default()
    }

    /// Sends an event to the sockets of this instance that are subscribed to a channel.
    pub(super) fn to_channel(&self, channel: &str, text: &Utf8Bytes) {
        let subscribed: Vec<_> = match self.table().channels.get(channel) {
            Some(subscribed) => subscribed.values().cloned().collect(),
            None => return,
        };
        for socket in subscribed {
            socket.event(text.clone()).ok();
        }
    }

    /// Sends an event to one socket of this instance. Says whether it is there and takes it.
    pub(super) fn to_socket(&self, socket_id: &str, text: Utf8Bytes) -> bool {
        let socket = self.table().sockets.get(socket_id).map(|entry| entry.socket.clone());
        socket.is_some_and(|socket| socket.event(text).is_ok())
    }

    /// The other instance that a socket belongs to, by its id.
    pub(super) fn elsewhere(&self, socket_id: &str) -> Option<Instance> {
        Instance::of_socket(socket_id).filter(|instance| *instance != self.0.instance)
    }
}

impl Dependency for Sockets {
    type Options = ();

    async fn setup(cx: &SetupContext, (): ()) -> Result<Self> {
        Ok(Self::new(cx.sender().settings.timeout))
    }
}
