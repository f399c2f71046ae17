//! Consul: programs register their ports at its agent, and find those of others by it.
//!
//! The one folder that names reqwest. What is asked of the agent is in [`client`]; it begins with the setting `consul.address`, without which
//! nothing here runs.

mod client;
mod entry;
mod follow;
mod gateway;
mod registration;
mod settings;
mod tls;

pub(crate) use self::gateway::ConsulGateway;
pub(super) use self::{client::Consul, follow::InConsul};
