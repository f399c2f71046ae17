//! `#[websocket]`: messages of sockets as calls, in the shapes of Nameko's `nameko.web.websocket`, and a hub that sends events to sockets.
//!
//! A socket goes: [`endpoint`] (the upgrade, its origin) → [`connection`] (reads messages, writes what its [`outbox`] has, listens whether
//! the peer is still there) → a worker for each message. [`sockets`] knows those of this instance, and [`relay`] reaches the other instances.

mod connection;
mod endpoint;
mod frame;
mod hub;
mod members;
mod outbox;
mod relay;
mod settings;
mod socket;
mod sockets;

pub(super) use self::{endpoint::SocketEndpoint, settings::SocketSettings};
pub use self::{hub::WebSocketHub, socket::Socket};
